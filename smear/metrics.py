"""How good a segmenter or classifier is, in the formulas of the paper, and how sure one can be of it."""

from collections.abc import Callable

import numpy as np

CALIBRATION_BINS = 15  # as Guo et al. (2017), "On calibration of modern neural networks"
RESAMPLES = 2000


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Return int64 (classes, classes): rows are the true class, columns the predicted one."""
    counts = np.bincount(np.asarray(truth) * classes + np.asarray(predicted), minlength=classes * classes)
    return counts.reshape(classes, classes)


def accuracy(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Return the share of equal entries; NaN of nothing."""
    return float(np.mean(np.asarray(truth) == np.asarray(predicted))) if len(truth) else float("nan")


def precision_recall_f1(
    truth: np.ndarray, predicted: np.ndarray, classes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return precision, recall and F1 of each class, float (classes,); 0 where a class has no entry."""
    matrix = confusion_matrix(truth, predicted, classes).astype(float)
    hits = np.diag(matrix)
    precision = _ratio(hits, matrix.sum(axis=0))
    recall = _ratio(hits, matrix.sum(axis=1))
    return precision, recall, _ratio(2 * precision * recall, precision + recall)


def macro_f1(truth: np.ndarray, predicted: np.ndarray, classes: int) -> float:
    """Return the mean F1 of the classes."""
    return float(precision_recall_f1(truth, predicted, classes)[2].mean())


def dice(found: np.ndarray, truth: np.ndarray) -> float:
    """Return 2 |A and B| / (|A| + |B|) of two bool arrays; 1 when both are empty."""
    total = int(found.sum()) + int(truth.sum())
    return 2.0 * int((found & truth).sum()) / total if total else 1.0


def iou(found: np.ndarray, truth: np.ndarray) -> float:
    """Return |A and B| / |A or B| of two bool arrays; 1 when both are empty."""
    union = int((found | truth).sum())
    return int((found & truth).sum()) / union if union else 1.0


def expected_calibration_error(truth: np.ndarray, probabilities: np.ndarray, bins: int = CALIBRATION_BINS) -> float:
    """Return the mean gap between confidence and accuracy over equal-width bins, weighted by their counts.

    `truth` is int (n,), `probabilities` float (n, classes).
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == np.asarray(truth)
    index = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gap = np.abs(np.bincount(index, weights=right - confidence, minlength=bins))
    return float(gap.sum() / len(confidence))


def bootstrap_interval(
    values: np.ndarray,
    groups: np.ndarray,
    statistic: Callable[[np.ndarray], float] = lambda drawn: float(np.mean(drawn)),
    seed: int = 0,
) -> tuple[float, float]:
    """Return the 95 % interval of `statistic` over rows of `values`, whole `groups` drawn with replacement."""
    rng = np.random.default_rng(seed)
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    rows = [np.flatnonzero(index == group) for group in range(len(names))]
    drawn = [
        statistic(values[np.concatenate([rows[g] for g in rng.integers(len(rows), size=len(rows))])])
        for _ in range(RESAMPLES)
    ]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def wilson_interval(successes: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927); 0 to 1 when n is 0."""
    if n == 0:
        return 0.0, 1.0
    z = 1.959964  # 97.5th percentile of the normal distribution
    share = successes / n
    centre = share + z * z / (2 * n)
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return float(max(0.0, (centre - half) / scale)), float(min(1.0, (centre + half) / scale))


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.zeros_like(above, dtype=float), where=below > 0)
