"""The control that every accuracy is reported beside: a forest that sees colour histograms, with and without cells."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from smear.classes import LABELS
from smear.images import read_image
from smear.imaging.resampling import to_model_scale
from smear.metrics import accuracy, macro_f1
from smear.progress import progress
from train.data.background import background_mask, outside_scale_bar
from train.data.dataset import Dataset, Record
from train.data.splits import Fold

BINS = (18, 8, 8)  # hue, saturation, value: hue finest, since stain and glass differ in it most
TREES = 300  # accuracy on the random split no longer changes beyond 200
BACKGROUND, WHOLE_FIELD = SEES = ("background", "whole field")


@dataclass(frozen=True, slots=True)
class ForestScore:
    """The score of the forest on the test fields of one fold."""

    sees: str  # one of SEES
    accuracy: float
    macro_f1: float
    n: int
    right: tuple[bool, ...] = ()  # by test field, in the order of the fold


def histogram(image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the share of each HSV bin among the pixels in `mask`, float32 (bins,); zeros when none is."""
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    counts = cv2.calcHist([hsv], [0, 1, 2], mask.astype(np.uint8), list(BINS), [0, 180, 0, 256, 0, 256]).ravel()
    return np.asarray(counts / max(1.0, counts.sum()), np.float32)


def histograms(records: Sequence[Record], quiet: bool = False) -> dict[str, NDArray[np.float32]]:
    """Return for each of `SEES` the histograms of all `records`, float32 (n, bins)."""
    rows: dict[str, list[NDArray[np.float32]]] = {sees: [] for sees in SEES}
    for record in progress(records, "Background colours", quiet):
        frame = to_model_scale(read_image(record.path))
        for sees, mask in zip(SEES, (background_mask(frame), outside_scale_bar(frame)), strict=True):
            rows[sees].append(histogram(frame.pixels, mask))
    return {sees: np.stack(found) for sees, found in rows.items()}


def evaluate_forest(
    data: Dataset, colours: dict[str, NDArray[np.float32]], fold: Fold, seed: int = 0
) -> list[ForestScore]:
    """Fit a forest on the train fields of `fold` for each entry of `colours`, and score it on the test fields.

    `colours` are the `histograms` of `data.records`. The validation fields are not used: nothing is tuned.
    """
    row = {record.file: i for i, record in enumerate(data.records)}
    truth = np.array([LABELS.index(record.label) for record in data.records])
    train, test = ([row[file] for file in files] for files in (fold.train, fold.test))
    scores = []
    for sees, x in colours.items():
        forest = RandomForestClassifier(TREES, random_state=seed, n_jobs=-1).fit(x[train], truth[train])
        predicted = forest.predict(x[test])
        f1 = macro_f1(truth[test], predicted, len(LABELS))
        right = tuple(bool(hit) for hit in predicted == truth[test])
        scores.append(ForestScore(sees, accuracy(truth[test], predicted), f1, len(test), right))
    return scores


def background_score(data: Dataset, fold: Fold, seed: int = 0) -> ForestScore:
    """Return the score of the forest that sees the background alone."""
    colours = histograms(data.records)
    return next(score for score in evaluate_forest(data, colours, fold, seed) if score.sees == BACKGROUND)
