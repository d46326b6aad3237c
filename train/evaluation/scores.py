"""Scores of answers: by class, with intervals by group, before and after calibration, and risk against coverage."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smear.classes import LABELS
from smear.inference.evaluator import NO_CELL, Answers
from smear.metrics import (
    ECE_BINS,
    accuracy,
    confidence_bins,
    confusion_matrix,
    expected_calibration_error,
    f1,
    macro_f1,
    precision,
    recall,
    risk_coverage,
)
from train.evaluation.shares import Share, measured


@dataclass(frozen=True, slots=True)
class ByClass:
    """The scores of one class."""

    label: str
    precision: float
    recall: float
    f1: float
    n: int


@dataclass(frozen=True, slots=True, eq=False)
class ReliabilityBins:
    """A reliability diagram: mean confidence and accuracy in each bin of confidence."""

    confidence: NDArray[np.float64]  # (bins,); NaN where empty
    accuracy: NDArray[np.float64]
    count: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """The scores of a bundle on one list of fields; refused fields count by their best class unless stated otherwise.

    A field without a cell counts as wrong.
    """

    accuracy: Share
    macro_f1: Share
    of_labelled: Share  # accuracy among the fields that got a label
    labelled: Share
    ece_before: Share  # of uncalibrated probabilities
    ece_after: Share
    by_class: tuple[ByClass, ...]
    confusion: NDArray[np.int64]  # (4, 5): true class by best class, "no cell" last
    before: ReliabilityBins
    after: ReliabilityBins
    coverage: NDArray[np.float64]  # (n,)
    risk: NDArray[np.float64]  # (n,), among the most confident share of fields


def evaluate(answers: Answers, temperature: float) -> Evaluation:
    """Score `answers` to fields of known class; `temperature` is what their probabilities were calibrated with."""
    truth, top, groups = answers.truth, answers.top, np.array(answers.groups)
    right, given = top == truth, answers.labelled
    seen = answers.with_cells()
    after, before = seen.probabilities(), seen.probabilities(temperature)
    coverage, risk = risk_coverage(after, seen.truth)
    return Evaluation(
        accuracy=measured("accuracy", lambda i: float(right[i].mean()), groups),
        macro_f1=measured("macro F1", lambda i: macro_f1(truth[i], top[i], NO_CELL + 1, of_truth=True), groups),
        of_labelled=measured("accuracy of the labelled", lambda i: float(right[given][i].mean()), groups[given]),
        labelled=measured("labelled", lambda i: float(given[i].mean()), groups),
        ece_before=_calibration("ECE before scaling", seen, before),
        ece_after=_calibration("ECE after scaling", seen, after),
        by_class=_by_class(truth, top),
        confusion=confusion_matrix(truth, top, NO_CELL + 1)[: len(LABELS)],
        before=reliability(seen.truth, before),
        after=reliability(seen.truth, after),
        coverage=coverage,
        risk=risk,
    )


def _by_class(truth: NDArray[np.int64], top: NDArray[np.int64]) -> tuple[ByClass, ...]:
    precisions, recalls, f1s = (measure(truth, top, NO_CELL + 1) for measure in (precision, recall, f1))
    return tuple(
        ByClass(label, float(precisions[i]), float(recalls[i]), float(f1s[i]), int((truth == i).sum()))
        for i, label in enumerate(LABELS)
    )


def reliability(truth: NDArray[np.int64], probabilities: NDArray[Any]) -> ReliabilityBins:
    """Return the reliability diagram of float (n, 4) `probabilities` in the bins of the calibration error."""
    confidence = probabilities.max(axis=1)
    which = confidence_bins(confidence)
    right = (probabilities.argmax(axis=1) == truth).astype(float)
    count = np.bincount(which, minlength=ECE_BINS)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(which, weights=values, minlength=ECE_BINS) / count for values in (confidence, right)]
    return ReliabilityBins(means[0], means[1], count)


def _calibration(name: str, seen: Answers, probabilities: NDArray[Any]) -> Share:
    truth = seen.truth
    return measured(name, lambda i: expected_calibration_error(truth[i], probabilities[i]), np.array(seen.groups))


def at_threshold(answers: Answers, threshold: float) -> tuple[float, float]:
    """Return coverage and risk where fields below probability `threshold` are refused, and none for another reason."""
    seen = answers.with_cells()
    probabilities = seen.probabilities()
    sure = probabilities.max(axis=1) >= threshold
    risk = 1.0 - accuracy(seen.truth[sure], probabilities.argmax(axis=1)[sure]) if sure.any() else 0.0
    return float(sure.sum() / max(1, len(answers))), risk
