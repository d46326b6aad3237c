"""Masks of colour thresholds, and those of a bundle, scored against masks drawn by hand."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from smear.findings import CYTOPLASM, NUCLEUS
from smear.images import read_image
from smear.imaging.stain_normalization import MIN_AREA_PX, fill_holes, hsv_mask, otsu_mask
from smear.inference.evaluator import Evaluator
from smear.metrics import accuracy, dice, iou, recall
from train.data.dataset import masked_files

IGNORE, CELL = CYTOPLASM, NUCLEUS  # values of a mask drawn by hand, which outlines whole cells only
SEGMENTED_ABOVE = 10  # grey level: the data set's Segmented images are black outside cells, up to JPEG noise


@dataclass(frozen=True, slots=True)
class MaskScore:
    """One method against one mask drawn by hand; pixels to be ignored count nowhere."""

    way: str  # name of the method
    file: str
    label: str
    dice: float
    iou: float
    accuracy: float  # of pixels, as in the paper's table 3
    recall: float  # of cell pixels


def score_masks(evaluator: Evaluator, root: Path) -> list[MaskScore]:
    """Score every method against every mask of `root`/taleqani_masks.

    Raises:
        DatasetError: there is no list of masks.
    """
    fields, drawn = root / "taleqani", root / "taleqani_masks"
    methods: dict[str, Callable[[str, NDArray[np.uint8]], NDArray[np.bool_] | None]] = {
        "HSV threshold (the paper's masks)": lambda _, image: fill_holes(hsv_mask(image), MIN_AREA_PX),
        "Otsu on Lab a*": lambda _, image: otsu_mask(image),
        "the data set's Segmented images": lambda file, image: _segmented(fields / "Segmented" / file, image),
        "this bundle": lambda _, image: evaluator.examine(image).mask.cell,
    }
    scores = []
    for file in masked_files(drawn):
        image = read_image(fields / "Original" / file)
        truth = cv2.imread(str((drawn / file).with_suffix(".png")), cv2.IMREAD_GRAYSCALE)
        if truth is None:
            continue
        for name, find in methods.items():
            found = find(file, image)
            if found is not None:
                scores.append(score(name, file, found, np.asarray(truth, np.uint8)))
    return scores


def score(way: str, file: str, found: NDArray[np.bool_], truth: NDArray[np.uint8]) -> MaskScore:
    """Score bool (H, W) `found` against a mask of 0, IGNORE and CELL."""
    cell, ignored = truth == CELL, truth == IGNORE
    counted = ~ignored
    return MaskScore(
        way=way,
        file=file,
        label=file.partition("/")[0],
        dice=dice(cell, found, ignored),
        iou=iou(cell, found, ignored),
        accuracy=accuracy(cell[counted], found[counted]),
        recall=float(recall(cell[counted], found[counted], 2)[1]),
    )


def _segmented(path: Path, image: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
    if not path.is_file():
        return None
    picture = read_image(path)
    return np.asarray(picture.max(axis=-1) > SEGMENTED_ABOVE) if picture.shape == image.shape else None
