"""The control every accuracy stands beside: what a forest reads from colour alone, with and without the cells."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from sklearn.ensemble import RandomForestClassifier

from smear.classes import LABELS
from smear.images import read_image
from smear.imaging.masking import scale_bar_box
from smear.imaging.resampling import ModelFrame, to_model_scale
from smear.imaging.stain_normalization import otsu_mask
from smear.metrics import accuracy, macro_f1
from smear.progress import progress
from train.data.dataset import Dataset, Record
from train.data.splits import Fold

BINS = (18, 8, 8)  # hue, saturation, value: hue finest, since stain and glass differ in it most
TREES = 300  # accuracy on the random split no longer moves beyond 200
HALO = 7  # px around a cell that its blur and chromatic fringe still tint
VIOLET = ((120, 50, 0), (179, 255, 255))  # wider than any mask: what is at all violet is no ground
BAR_MARGIN = 4  # px: some styles reach past the box
SHOWN = ("background", "whole field")


@dataclass(frozen=True, slots=True)
class Told:
    """What the forest knew of the test fields of one fold from the colours it was shown."""

    shown: str  # one of SHOWN
    accuracy: float
    macro_f1: float
    n: int
    right: tuple[bool, ...] = ()  # by test field, in the order of the fold


def ground(frame: ModelFrame) -> np.ndarray:
    """Return bool (h, w) at model scale: glass and red cells only, clear of violet bodies and the scale bar."""
    violet = cv2.inRange(cv2.cvtColor(frame.pixels, cv2.COLOR_RGB2HSV), *map(np.array, VIOLET)) > 0
    near = cv2.dilate((otsu_mask(frame.pixels) | violet).astype(np.uint8), np.ones((HALO, HALO), np.uint8)) > 0
    return photographed(frame) & ~near


def photographed(frame: ModelFrame) -> np.ndarray:
    """Return bool (h, w): all but the corner of the scale bar, which gives the class away by its style."""
    seen = np.ones(frame.pixels.shape[:2], bool)
    box = scale_bar_box(frame)
    if box is not None:
        x, y, width, height = box
        seen[y - BAR_MARGIN : y + height, x - BAR_MARGIN : x + width] = False
    return seen


def histogram(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the share of each HSV bin among the pixels in `mask`, float32 (bins,); zeros when none is."""
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    counts = cv2.calcHist([hsv], [0, 1, 2], mask.astype(np.uint8), list(BINS), [0, 180, 0, 256, 0, 256]).ravel()
    return np.asarray(counts / max(1.0, counts.sum()), np.float32)


def histograms(records: Sequence[Record], quiet: bool = False) -> dict[str, np.ndarray]:
    """Return by what is shown the histograms of all `records`, float32 (n, bins)."""
    rows: dict[str, list[np.ndarray]] = {shown: [] for shown in SHOWN}
    for record in progress(records, "Colours of the ground", quiet):
        frame = to_model_scale(read_image(record.path))
        for shown, mask in zip(SHOWN, (ground(frame), photographed(frame)), strict=True):
            rows[shown].append(histogram(frame.pixels, mask))
    return {shown: np.stack(found) for shown, found in rows.items()}


def judge(data: Dataset, colours: dict[str, np.ndarray], fold: Fold, seed: int = 0) -> list[Told]:
    """Fit a forest on the train fields of `fold` for each way of showing, and score it on the test fields.

    `colours` are the `histograms` of `data.records`. Validation is left unused: nothing is tuned.
    """
    row = {record.file: i for i, record in enumerate(data.records)}
    truth = np.array([LABELS.index(record.label) for record in data.records])
    train, test = ([row[file] for file in files] for files in (fold.train, fold.test))
    told = []
    for shown, x in colours.items():
        forest = RandomForestClassifier(TREES, random_state=seed, n_jobs=-1).fit(x[train], truth[train])
        guessed = forest.predict(x[test])
        score = macro_f1(truth[test], guessed, len(LABELS))
        right = tuple(bool(hit) for hit in guessed == truth[test])
        told.append(Told(shown, accuracy(truth[test], guessed), score, len(test), right))
    return told
