"""What a classifier's words are worth: temperature, when it abstains, and when a field is too strange."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from smear.metrics import expected_calibration_error

KEEP_FAMILIAR = 0.99  # share of validation fields that are not called strange
MAX_RISK = 0.01  # share of wrong labels among those that are given, if no more than 1 - KEEP_SURE must be refused
KEEP_SURE = 0.97  # both together refuse about one field in twenty-five of the kind that was learnt
MIN_ABSTAIN = 0.5  # at less than even odds nobody may be told a label


@dataclass(frozen=True, slots=True)
class Calibration:
    """Fitted on one validation split."""

    temperature: float
    abstain_below: float
    ood_above: float
    ece_before: float
    ece_after: float


def calibrate(log_probabilities: np.ndarray, truth: np.ndarray, strangeness: np.ndarray) -> Calibration:
    """Fit temperature and thresholds.

    Args:
        log_probabilities: float (n, 4), pooled by field, see `smear.inference.aggregation.pool`.
        truth: int (n,).
        strangeness: float (n,), the share of each field's cells taken for something else.
    """
    temperature = fit_temperature(log_probabilities, truth)
    before, after = softmax(log_probabilities), softmax(log_probabilities / temperature)
    return Calibration(
        temperature=temperature,
        abstain_below=abstention_threshold(after, truth),
        ood_above=float(np.quantile(strangeness, KEEP_FAMILIAR)),
        ece_before=expected_calibration_error(truth, before),
        ece_after=expected_calibration_error(truth, after),
    )


def fit_temperature(log_probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Return the temperature that minimises the negative log-likelihood (Guo et al. 2017)."""

    def loss(log_temperature: float) -> float:
        probabilities = softmax(log_probabilities / np.exp(log_temperature))
        return float(-np.log(probabilities[np.arange(len(truth)), truth] + 1e-9).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-4, 4), method="bounded").x))


def abstention_threshold(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Return the probability below which no label is given: the least that keeps the error within `MAX_RISK`.

    Never so high that more than 1 - `KEEP_SURE` of the fields are refused.
    """
    coverage, risk = risk_coverage(probabilities, truth)
    sure = np.sort(probabilities.max(axis=1))[::-1]
    allowed = (risk <= MAX_RISK) | (coverage <= KEEP_SURE)
    return max(MIN_ABSTAIN, float(sure[np.flatnonzero(allowed).max()]))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities along the last axis."""
    grown = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=-1, keepdims=True))


def risk_coverage(probabilities: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return coverage and error, float (n,): what is wrong among the surest share of fields."""
    order = np.argsort(-probabilities.max(axis=1), kind="stable")
    wrong = probabilities.argmax(axis=1)[order] != truth[order]
    counts = np.arange(1, len(truth) + 1)
    return counts / len(truth), np.cumsum(wrong) / counts
