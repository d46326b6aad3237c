"""Honest numbers from answers: by class, with intervals by group, calibrated, and as a trade of risk for coverage."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from smear.classes import LABELS
from smear.inference.evaluator import NO_CELL, Answers
from smear.metrics import (
    ECE_BINS,
    accuracy,
    bootstrap_interval,
    confusion_matrix,
    expected_calibration_error,
    f1,
    precision,
    recall,
)
from train.evaluation.shortcut_controls import Share
from train.fitting.calibration import risk_coverage


@dataclass(frozen=True, slots=True)
class ByClass:
    """One class."""

    label: str
    precision: float
    recall: float
    f1: float
    n: int


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """A reliability diagram: what was promised and what came, by bin of confidence."""

    confidence: np.ndarray  # float (bins,), mean of the bin; NaN where empty
    accuracy: np.ndarray
    count: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What a bundle is worth on one list of fields; refused ones count by their best class, unless it says otherwise.

    A field without a cell counts as wrong.
    """

    accuracy: Share
    macro_f1: Share
    of_labelled: Share  # right, among the fields that got a label
    labelled: Share
    ece_before: Share  # of uncalibrated probabilities
    ece_after: Share
    by_class: tuple[ByClass, ...]
    confusion: np.ndarray  # int (4, 5): true class by best class, "no cell" last
    before: Bins
    after: Bins
    coverage: np.ndarray  # float (n,)
    risk: np.ndarray  # float (n,), of the surest share


def evaluate(answers: Answers, temperature: float) -> Evaluation:
    """Evaluate `answers` to fields of known class; `temperature` is what their probabilities were calibrated with."""
    truth, top, groups = answers.truth, answers.top, np.array(answers.groups)
    right, given = top == truth, answers.labelled
    seen = answers.with_cells()
    after, before = seen.probabilities(), seen.probabilities(temperature)
    coverage, risk = risk_coverage(after, seen.truth)
    return Evaluation(
        accuracy=_measured("accuracy", lambda i: float(right[i].mean()), groups),
        macro_f1=_measured("macro F1", lambda i: macro_f1(truth[i], top[i]), groups),
        of_labelled=_measured("right, of the labelled", lambda i: float(right[given][i].mean()), groups[given]),
        labelled=_measured("labelled", lambda i: float(given[i].mean()), groups),
        ece_before=_calibration("ECE before scaling", seen, before),
        ece_after=_calibration("ECE after scaling", seen, after),
        by_class=_by_class(truth, top),
        confusion=confusion_matrix(truth, top, NO_CELL + 1)[: len(LABELS)],
        before=bins(seen.truth, before),
        after=bins(seen.truth, after),
        coverage=coverage,
        risk=risk,
    )


def _by_class(truth: np.ndarray, top: np.ndarray) -> tuple[ByClass, ...]:
    scores = [measure(truth, top, NO_CELL + 1) for measure in (precision, recall, f1)]
    return tuple(
        ByClass(label, *(float(score[i]) for score in scores), int((truth == i).sum()))
        for i, label in enumerate(LABELS)
    )


def macro_f1(truth: np.ndarray, top: np.ndarray) -> float:
    """Return the mean F1 of the classes that occur; "no cell" is an answer but no class."""
    return float(f1(truth, top, NO_CELL + 1)[np.unique(truth)].mean())


def bins(truth: np.ndarray, probabilities: np.ndarray) -> Bins:
    """Return the reliability diagram of float (n, 4) `probabilities` in the bins of the calibration error."""
    confidence = probabilities.max(axis=1)
    which = np.clip(np.ceil(confidence * ECE_BINS).astype(int) - 1, 0, ECE_BINS - 1)
    right = (probabilities.argmax(axis=1) == truth).astype(float)
    count = np.bincount(which, minlength=ECE_BINS)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(which, weights=values, minlength=ECE_BINS) / count for values in (confidence, right)]
    return Bins(means[0], means[1], count)


def _calibration(name: str, seen: Answers, probabilities: np.ndarray) -> Share:
    truth = seen.truth
    return _measured(name, lambda i: expected_calibration_error(truth[i], probabilities[i]), np.array(seen.groups))


def _measured(name: str, statistic: Callable[[np.ndarray], float], groups: np.ndarray) -> Share:
    rows = np.arange(len(groups))
    if not len(rows):
        return Share(name, 0.0, 0.0, 1.0, 0)
    low, high = bootstrap_interval(rows, groups, statistic, 0)
    return Share(name, statistic(rows), low, high, len(rows))


def right_at(answers: Answers, threshold: float) -> tuple[float, float]:
    """Return coverage and risk where every field below `threshold` is refused, and for no other reason."""
    seen = answers.with_cells()
    probabilities = seen.probabilities()
    sure = probabilities.max(axis=1) >= threshold
    wrong = 1.0 - accuracy(seen.truth[sure], probabilities.argmax(axis=1)[sure]) if sure.any() else 0.0
    return float(sure.sum() / max(1, len(answers))), wrong
