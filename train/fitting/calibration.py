"""Calibration of a classifier: its temperature, and the thresholds below or above which it gives no label."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from smear.metrics import expected_calibration_error, risk_coverage, softmax

KEEP_IN_DISTRIBUTION = 0.99  # share of validation fields whose out-of-distribution score is within the threshold
MAX_RISK = 0.01  # share of wrong labels among those that are given, unless KEEP_SURE would be missed
KEEP_SURE = 0.97  # together with the above, about one field in twenty-five like the training data is refused
MIN_ABSTAIN = 0.5  # below even odds no label is given


@dataclass(frozen=True, slots=True)
class Calibration:
    """Fitted on one validation part."""

    temperature: float
    abstain_below: float
    ood_above: float
    ece_before: float
    ece_after: float


def calibrate(log_probabilities: NDArray[Any], truth: NDArray[Any], ood_scores: NDArray[Any]) -> Calibration:
    """Fit temperature and thresholds.

    Args:
        log_probabilities: float (n, 4), pooled by field, see `smear.inference.aggregation.pool`.
        truth: int (n,).
        ood_scores: float (n,), the share of each field's cells classified as "other".
    """
    temperature = fit_temperature(log_probabilities, truth)
    before, after = softmax(log_probabilities), softmax(log_probabilities / temperature)
    return Calibration(
        temperature=temperature,
        abstain_below=abstention_threshold(after, truth),
        ood_above=float(np.quantile(ood_scores, KEEP_IN_DISTRIBUTION)),
        ece_before=expected_calibration_error(truth, before),
        ece_after=expected_calibration_error(truth, after),
    )


def fit_temperature(log_probabilities: NDArray[Any], truth: NDArray[Any]) -> float:
    """Return the temperature that minimises the negative log-likelihood (Guo et al. 2017)."""

    def loss(log_temperature: float) -> float:
        probabilities = softmax(log_probabilities / np.exp(log_temperature))
        return float(-np.log(probabilities[np.arange(len(truth)), truth] + 1e-9).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-4, 4), method="bounded").x))


def abstention_threshold(probabilities: NDArray[Any], truth: NDArray[Any]) -> float:
    """Return the least probability at which a label is given, so that the risk stays within `MAX_RISK`.

    Never so high that more than 1 - `KEEP_SURE` of the fields are refused.
    """
    coverage, risk = risk_coverage(probabilities, truth)
    confidence = np.sort(probabilities.max(axis=1))[::-1]
    allowed = (risk <= MAX_RISK) | (coverage <= KEEP_SURE)
    return max(MIN_ABSTAIN, float(confidence[np.flatnonzero(allowed).max()]))
