"""Chooses and reads pictures: representative ones for calibration, validation ones for figures, golden inputs."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from smear.bundle.training_run import Picture, Run, find_picture
from smear.classes import LABELS
from smear.errors import ConversionError
from smear.findings import Frame
from smear.images import read_image
from smear.imaging.masking import crop_cell
from smear.synthetic import render

REPRESENTATIVE = 100  # training fields that set the ranges of int8; TensorFlow's guide recommends 100 to 500
GOLDEN_LABELS = ("Benign", "Pre")  # two fields: enough to catch a wrong file, few enough for a small bundle
DRAWN_MASKS = "taleqani_masks"  # whole-cell masks of fields: 0 background, 255 cell, 128 ignore


def stratified(pictures: Sequence[Picture], count: int, seed: int) -> list[Picture]:
    """Draw `count` of `pictures`, evenly over class and stain session, the same for the same `seed`."""
    groups: dict[tuple[str, str], list[Picture]] = defaultdict(list)
    for picture in sorted(pictures, key=lambda p: p.path):
        groups[picture.label, picture.session].append(picture)
    rng = np.random.default_rng(seed)
    queues = [[group[i] for i in rng.permutation(len(group))] for _, group in sorted(groups.items())]
    drawn: list[Picture] = []
    while len(drawn) < min(count, len(pictures)):
        for queue in queues:
            if queue and len(drawn) < count:
                drawn.append(queue.pop())
    return drawn


def frames(data: Path, pictures: Iterable[Picture]) -> list[Frame]:
    """Read `pictures` below the data root as whole fields, as the data set was made.

    Raises:
        ConversionError: one is missing.
        ImageError: one cannot be read.
    """
    return [Frame(read_image(find_picture(data, picture)), picture.path) for picture in pictures]


def check_pictures(run: Run, data: Path) -> None:
    """Check that every picture of `run` exists, before an hour of work and not after it.

    Raises:
        ConversionError: one is missing.
    """
    for picture in (*run.facts.train_images, *run.facts.validation_images):
        find_picture(data, picture)


def fields_with_masks(data: Path, trained_on: Iterable[Picture] = ()) -> list[tuple[Frame, NDArray[np.uint8]]]:
    """Return the fields below the data root that have a drawn mask and are not in `trained_on`, each with its mask.

    Raises:
        ConversionError: a mask cannot be read.
    """
    trained = {picture.path for picture in trained_on}
    found = []
    for label in LABELS:
        for file in sorted((data / DRAWN_MASKS / label).glob("*.png")):
            path = f"taleqani/Original/{label}/{file.stem}.jpg"
            if file.stem.endswith("_cells") or path in trained or not (data / path).is_file():
                continue
            mask = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
            if mask is None:
                raise ConversionError(f"{file}: not a readable mask; copy the data again")
            found.append((Frame(read_image(data / path), path), np.asarray(mask, np.uint8)))
    return found


def golden_inputs(size: int, crop: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return synthetic uint8 inputs: fields (n, size, size, 3) and what a classifier takes (n, crop, crop, 3)."""
    fields, crops = [], []
    for seed, label in enumerate(GOLDEN_LABELS):
        drawn = render(label, seed)
        image = np.ascontiguousarray(drawn.image[:size, :size])
        if image.shape[:2] != (size, size):
            image = np.asarray(cv2.resize(drawn.image, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
        fields.append(image)
        crops.append(image if crop == size else _largest_cell(drawn.image, drawn.mask.cell, crop))
    return np.stack(fields), np.stack(crops)


def _largest_cell(image: NDArray[np.uint8], cells: NDArray[np.bool_], size: int) -> NDArray[np.uint8]:
    """Return a crop of the largest connected part of `cells`, on neutral background."""
    count, labels, stats, centres = cv2.connectedComponentsWithStats(cells.astype(np.uint8))
    if count < 2:
        return np.asarray(cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    return crop_cell(image, labels > 0, tuple(centres[largest]), size)
