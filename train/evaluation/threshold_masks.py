"""What the masks of thresholds are worth against masks drawn by hand, beside those of a bundle."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from smear.images import read_image
from smear.imaging.stain_normalization import MIN_BODY_PX, fill_holes, hsv_mask, otsu_mask
from smear.inference.evaluator import Judge
from smear.metrics import accuracy, dice, iou, recall
from train.data.dataset import masked_files

IGNORE, CELL = 128, 255  # values of a drawn mask
SEGMENTED_ABOVE = 10  # grey level: the data set's Segmented images are black where they hold no cell, but for JPEG


@dataclass(frozen=True, slots=True)
class MaskScore:
    """One way of finding cells against one drawn mask; what is to be ignored counts nowhere."""

    way: str
    file: str
    label: str
    dice: float
    iou: float
    accuracy: float  # of pixels, the paper's table 3
    recall: float  # of cell pixels


def score_masks(judge: Judge, root: Path) -> list[MaskScore]:
    """Score every drawn mask of `root`/taleqani_masks under every way.

    Raises:
        DatasetError: there is no list of masks.
    """
    fields, drawn = root / "taleqani", root / "taleqani_masks"
    ways: dict[str, Callable[[str, np.ndarray], np.ndarray | None]] = {
        "HSV threshold (the paper's masks)": lambda _, image: fill_holes(hsv_mask(image), MIN_BODY_PX),
        "Otsu on Lab a*": lambda _, image: otsu_mask(image),
        "the data set's Segmented images": lambda file, image: _segmented(fields / "Segmented" / file, image),
        "this bundle": lambda _, image: judge.examine(image).mask.cell,
    }
    scores = []
    for file in masked_files(drawn):
        image = read_image(fields / "Original" / file)
        truth = cv2.imread(str((drawn / file).with_suffix(".png")), cv2.IMREAD_GRAYSCALE)
        if truth is None:
            continue
        for way, find in ways.items():
            found = find(file, image)
            if found is not None:
                scores.append(score(way, file, found, truth))
    return scores


def score(way: str, file: str, found: np.ndarray, truth: np.ndarray) -> MaskScore:
    """Score bool (H, W) `found` against a drawn mask of 0, IGNORE and CELL."""
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


def _segmented(path: Path, image: np.ndarray) -> np.ndarray | None:
    if not path.is_file():
        return None
    shown = read_image(path)
    return np.asarray(shown.max(axis=-1) > SEGMENTED_ABOVE) if shown.shape == image.shape else None
