"""Figures of one level with their intervals: what the findings say against labels, what the masks say against truth."""

from collections.abc import Callable, Sequence

import numpy as np

from smear.bundle.manifest import Figure
from smear.classes import LABELS
from smear.findings import CYTOPLASM, NUCLEUS, Finding
from smear.metrics import bootstrap_interval, dice, expected_calibration_error, f1

NO_CELL = len(LABELS)  # index predicted for a field in which no cell was found: always wrong


def of_labels(findings: Sequence[Finding], labels: Sequence[str], split: str, seed: int) -> dict[str, Figure]:
    """Return accuracy, macro F1, calibration error and refusal rate of `findings` on fields of known class.

    A field without a cell counts as wrong; a refused one by its best class, since refusing is counted apart.
    """
    truth = np.array([LABELS.index(label) for label in labels])
    top = np.array([NO_CELL if f.top is None else LABELS.index(f.top) for f in findings])
    refused = np.array([f.label is None for f in findings], float)
    found = {
        "accuracy": _figure(lambda i: float((top[i] == truth[i]).mean()), len(truth), split, seed),
        "macro_f1": _figure(lambda i: _macro_f1(truth[i], top[i]), len(truth), split, seed),
        "refusal_rate": _figure(lambda i: float(refused[i].mean()), len(truth), split, seed),
    }
    answered = [i for i, f in enumerate(findings) if f.probabilities]
    if answered:
        chances = np.array([[findings[i].probabilities[name] for name in LABELS] for i in answered])
        known = truth[answered]
        found["ece"] = _figure(lambda i: expected_calibration_error(known[i], chances[i]), len(answered), split, seed)
    return found


def of_masks(pairs: Sequence[tuple[np.ndarray, np.ndarray]], split: str, seed: int) -> dict[str, Figure]:
    """Return the Dice of whole cells, averaged over fields, for (bool (h, w) found, drawn mask with 128 ignored)."""
    if not pairs:
        return {}
    each = np.array([cell_dice(found, truth) for found, truth in pairs])
    return {"dice": _figure(lambda i: float(each[i].mean()), len(each), split, seed)}


def cell_dice(found: np.ndarray, drawn: np.ndarray) -> float:
    """Return the Dice of bool (h, w) `found` against `drawn` (0 background, 128 ignored, 255 cell)."""
    return dice(drawn == NUCLEUS, found, ignore=drawn == CYTOPLASM)


def _macro_f1(truth: np.ndarray, top: np.ndarray) -> float:
    """Return the mean F1 of the classes that occur; "no cell" is an answer but no class."""
    return float(f1(truth, top, NO_CELL + 1)[np.unique(truth)].mean())


def _figure(measure: Callable[[np.ndarray], float], n: int, split: str, seed: int) -> Figure:
    """Return `measure` of all `n` fields with its bootstrap interval over fields."""
    everyone = np.arange(n)
    low, high = bootstrap_interval(everyone, everyone, measure, seed=seed)
    return Figure(value=measure(everyone), split=split, n=n, low=low, high=high)
