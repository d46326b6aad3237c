"""Scores of labels, probabilities and masks, and their 95 % intervals.

Reza et al. (2025) state accuracy, precision, recall, F1 and Dice; the others are the usual definitions. A ratio with a
denominator of 0 is 0, as with scikit-learn's `zero_division=0`.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

ECE_BINS = 15  # Guo et al., "On Calibration of Modern Neural Networks" (2017)
Z_95 = 1.959964  # two-sided 95 % quantile of the normal distribution
BOOTSTRAP_ROUNDS = 2000  # more rounds move the bounds by less than a tenth of the interval

Floats = NDArray[np.float64]


def confusion_matrix(truth: NDArray[Any], predicted: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """Return int (classes, classes): rows are the true class, columns the predicted one.

    Raises:
        ValueError: the two differ in length, or hold a class outside 0 to `classes` - 1.
    """
    truth, predicted = np.asarray(truth, np.int64), np.asarray(predicted, np.int64)
    if truth.shape != predicted.shape or truth.ndim != 1:
        raise ValueError(f"truth {truth.shape} and predicted {predicted.shape} must be two lists of one length")
    both = np.concatenate([truth, predicted])
    if both.size and (both.min() < 0 or both.max() >= classes):
        raise ValueError(f"classes must lie in 0 to {classes - 1}, not {both.min()} to {both.max()}")
    return np.bincount(truth * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def accuracy(truth: NDArray[Any], predicted: NDArray[Any]) -> float:
    """Return the share of correct predictions; 0 of none."""
    truth = np.asarray(truth)
    return float(np.mean(truth == np.asarray(predicted))) if truth.size else 0.0


def precision(truth: NDArray[Any], predicted: NDArray[Any], classes: int) -> Floats:
    """Return TP / (TP + FP) of each class, float (classes,)."""
    matrix = confusion_matrix(truth, predicted, classes)
    return _ratio(np.diag(matrix), matrix.sum(axis=0))


def recall(truth: NDArray[Any], predicted: NDArray[Any], classes: int) -> Floats:
    """Return TP / (TP + FN) of each class, float (classes,)."""
    matrix = confusion_matrix(truth, predicted, classes)
    return _ratio(np.diag(matrix), matrix.sum(axis=1))


def f1(truth: NDArray[Any], predicted: NDArray[Any], classes: int) -> Floats:
    """Return 2 TP / (2 TP + FP + FN) of each class, float (classes,): the harmonic mean of precision and recall."""
    return _f1(confusion_matrix(truth, predicted, classes))


def macro_f1(truth: NDArray[Any], predicted: NDArray[Any], classes: int, *, of_truth: bool = False) -> float:
    """Return the unweighted mean of `f1` over the classes that occur in either list, or in `truth` alone.

    `of_truth` is for predictions that may be none of the classes, such as "no cell found": such a prediction counts
    against the true class, but is no class with an F1 of its own.
    """
    matrix = confusion_matrix(truth, predicted, classes)
    occurs = matrix.sum(axis=1) if of_truth else matrix.sum(axis=0) + matrix.sum(axis=1)
    return float(_f1(matrix)[occurs > 0].mean()) if occurs.any() else 0.0


def _f1(matrix: NDArray[np.int64]) -> Floats:
    return _ratio(2 * np.diag(matrix), matrix.sum(axis=0) + matrix.sum(axis=1))


def _ratio(above: NDArray[np.int64], below: NDArray[np.int64]) -> Floats:
    return np.divide(above, below, out=np.zeros(np.shape(below), np.float64), where=below != 0)


def dice(truth: NDArray[Any], predicted: NDArray[Any], ignore: NDArray[Any] | None = None) -> float:
    """Return 2 |A and B| / (|A| + |B|) of two bool masks outside `ignore`; 1 when both are empty."""
    both, total, _ = _overlap(truth, predicted, ignore)
    return 2 * both / total if total else 1.0


def iou(truth: NDArray[Any], predicted: NDArray[Any], ignore: NDArray[Any] | None = None) -> float:
    """Return |A and B| / |A or B| of two bool masks outside `ignore`; 1 when both are empty."""
    both, _, either = _overlap(truth, predicted, ignore)
    return both / either if either else 1.0


def _overlap(truth: NDArray[Any], predicted: NDArray[Any], ignore: NDArray[Any] | None) -> tuple[int, int, int]:
    truth, predicted = np.asarray(truth, bool), np.asarray(predicted, bool)
    if truth.shape != predicted.shape:
        raise ValueError(f"masks of shape {truth.shape} and {predicted.shape} cannot be compared")
    if ignore is not None:
        counted = ~np.asarray(ignore, bool)
        truth, predicted = truth & counted, predicted & counted
    both, total = int(np.count_nonzero(truth & predicted)), int(truth.sum()) + int(predicted.sum())
    return both, total, total - both


def match_objects(truth: NDArray[Any], found: NDArray[Any], least_iou: float = 0.5) -> tuple[int, int, int]:
    """Return how many objects of two int label maps (h, w), background 0, match, are in `truth`, are in `found`.

    Two match at an intersection over union of more than `least_iou`; from 0.5 on no object matches two
    (Caicedo et al. 2019, "Nucleus segmentation across imaging experiments").
    """
    truths, t = np.unique(truth, return_inverse=True)
    founds, f = np.unique(found, return_inverse=True)
    shared = np.zeros((len(truths), len(founds)))
    np.add.at(shared, (t.ravel(), f.ravel()), 1)
    either = shared.sum(axis=1, keepdims=True) + shared.sum(axis=0, keepdims=True) - shared
    objects = np.ix_(truths > 0, founds > 0)
    matched = shared[objects] / either[objects] > least_iou
    return int(matched.sum()), int((truths > 0).sum()), int((founds > 0).sum())


def expected_calibration_error(truth: NDArray[Any], probabilities: NDArray[Any], bins: int = ECE_BINS) -> float:
    """Return the mean gap between confidence and accuracy over `bins` equal bins, weighted by their counts.

    `truth` is int (n,), `probabilities` float (n, classes). Guo et al. (2017), equation 3.
    """
    probabilities = np.asarray(probabilities, np.float64)
    if not len(probabilities):
        return 0.0
    confidence = probabilities.max(axis=1)
    right = (probabilities.argmax(axis=1) == np.asarray(truth)).astype(np.float64)
    gap = np.bincount(confidence_bins(confidence, bins), weights=right - confidence, minlength=bins)
    return float(np.abs(gap).sum() / len(probabilities))


def confidence_bins(confidence: Floats, bins: int = ECE_BINS) -> NDArray[np.int64]:
    """Return the bin of each confidence, int (n,) in 0 to `bins` - 1: open below and closed above, as in the paper.

    A confidence of exactly 0 cannot occur: the best of k classes has at least 1 / k.
    """
    return np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)


def risk_coverage(probabilities: NDArray[Any], truth: NDArray[Any]) -> tuple[Floats, Floats]:
    """Return coverage and risk, float (n,) each: the share of wrong labels among the most confident share of fields.

    `probabilities` is float (n, classes), `truth` int (n,).
    """
    order = np.argsort(-probabilities.max(axis=1), kind="stable")
    wrong = probabilities.argmax(axis=1)[order] != truth[order]
    counts = np.arange(1, len(truth) + 1)
    return counts / len(truth), np.cumsum(wrong) / counts


def softmax(logits: NDArray[Any]) -> NDArray[Any]:
    """Return probabilities along the last axis."""
    grown = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=-1, keepdims=True))


def wilson_interval(successes: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927); (0, 1) when nothing was counted."""
    if n == 0:
        return 0.0, 1.0
    share, z2 = successes / n, Z_95 * Z_95
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    # Of none and of all the sums miss 0 and 1 by a rounding error.
    return 0.0 if successes == 0 else middle - half, 1.0 if successes == n else middle + half


def bootstrap_interval(
    values: NDArray[Any],
    groups: Sequence[object] | NDArray[Any] | range,
    statistic: Callable[[NDArray[Any]], float],
    seed: int,
    rounds: int = BOOTSTRAP_ROUNDS,
) -> tuple[float, float]:
    """Return the 95 % percentile interval of `statistic(values)`, resampling whole groups.

    `values` is (n, ...), one row a picture; `groups` names the group of each row. Pictures of one group
    (near-duplicates of one field) are not independent: drawing them one by one would give too narrow an interval.

    Raises:
        ValueError: there is nothing to resample, or `groups` has another length.
    """
    values = np.asarray(values)
    if len(values) == 0 or len(values) != len(groups):
        raise ValueError(f"{len(values)} values and {len(groups)} groups: give at least one value and a group for each")
    names = {name: i for i, name in enumerate(dict.fromkeys(groups))}
    index = np.array([names[name] for name in groups])
    order = np.argsort(index, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(index))[:-1])
    random = np.random.default_rng(seed)
    drawn = (random.integers(0, len(members), len(members)) for _ in range(rounds))
    results = [statistic(values[np.concatenate([members[g] for g in draw])]) for draw in drawn]
    low, high = np.percentile(results, [2.5, 97.5])
    return float(low), float(high)
