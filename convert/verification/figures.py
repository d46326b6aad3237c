"""Figures of one level with their intervals: findings compared with labels, masks with drawn masks."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from smear.bundle.manifest import Figure
from smear.classes import LABELS
from smear.findings import CYTOPLASM, NUCLEUS, Finding
from smear.metrics import bootstrap_interval, dice, expected_calibration_error, macro_f1

NO_CELL = len(LABELS)  # index predicted for a field in which no cell was found: always wrong


def of_labels(findings: Sequence[Finding], labels: Sequence[str], split: str, seed: int) -> dict[str, Figure]:
    """Return accuracy, macro F1, calibration error and refusal rate of `findings` on fields of known class.

    A field without a cell counts as wrong; a refused one by its best class, since refusals are counted separately.
    """
    truth = np.array([LABELS.index(label) for label in labels])
    top = np.array([NO_CELL if f.top is None else LABELS.index(f.top) for f in findings])
    refused = np.array([f.label is None for f in findings], float)
    found = {
        "accuracy": _figure(lambda i: float((top[i] == truth[i]).mean()), len(truth), split, seed),
        "macro_f1": _figure(lambda i: macro_f1(truth[i], top[i], NO_CELL + 1, of_truth=True), len(truth), split, seed),
        "refusal_rate": _figure(lambda i: float(refused[i].mean()), len(truth), split, seed),
    }
    classified = [i for i, f in enumerate(findings) if f.probabilities]
    if classified:
        probabilities = np.array([[findings[i].probabilities[name] for name in LABELS] for i in classified])
        known = truth[classified]
        found["ece"] = _figure(
            lambda i: expected_calibration_error(known[i], probabilities[i]), len(classified), split, seed
        )
    return found


def of_masks(pairs: Sequence[tuple[NDArray[np.bool_], NDArray[np.uint8]]], split: str, seed: int) -> dict[str, Figure]:
    """Return the Dice of whole cells, averaged over fields, for pairs of found and drawn mask; see `cell_dice`."""
    if not pairs:
        return {}
    each = np.array([cell_dice(found, truth) for found, truth in pairs])
    return {"dice": _figure(lambda i: float(each[i].mean()), len(each), split, seed)}


def cell_dice(found: NDArray[np.bool_], drawn: NDArray[np.uint8]) -> float:
    """Return the Dice of bool (h, w) `found` against `drawn` (0 background, 128 ignored, 255 cell)."""
    return dice(drawn == NUCLEUS, found, ignore=drawn == CYTOPLASM)


def _figure(measure: Callable[[NDArray[np.int64]], float], n: int, split: str, seed: int) -> Figure:
    """Return `measure` of all `n` fields with its bootstrap interval over fields."""
    indices = np.arange(n)
    low, high = bootstrap_interval(indices, indices, measure, seed=seed)
    return Figure(value=measure(indices), split=split, n=n, low=low, high=high)
