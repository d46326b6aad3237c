"""Temperature and thresholds, on random scores with a known calibration."""

import numpy as np
import pytest

from smear.metrics import risk_coverage, softmax
from train.fitting.calibration import (
    KEEP_IN_DISTRIBUTION,
    KEEP_SURE,
    MAX_RISK,
    MIN_ABSTAIN,
    abstention_threshold,
    calibrate,
    fit_temperature,
)

N = 4000


def scores(seed: int = 0, sharpness: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities that are calibrated for `sharpness` 1, overconfident above, and classes drawn from them."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (N, 4))
    truth = (softmax(logits).cumsum(axis=1) > rng.random((N, 1))).argmax(axis=1)
    return logits * sharpness, truth


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_over_and_underconfidence(sharpness: float) -> None:
    assert fit_temperature(*scores(sharpness=sharpness)) == pytest.approx(sharpness, rel=0.1)


def test_calibration_lowers_the_error_of_overconfident_scores() -> None:
    logits, truth = scores(sharpness=3.0)
    fitted = calibrate(logits, truth, np.zeros(N))
    assert fitted.ece_after < 0.03 < fitted.ece_before


def test_risk_and_coverage_go_from_the_surest_field_to_all() -> None:
    probabilities = np.array([[0.9, 0.1, 0, 0], [0.6, 0.4, 0, 0], [0.8, 0.2, 0, 0], [0.7, 0.3, 0, 0]])
    coverage, risk = risk_coverage(probabilities, np.array([0, 1, 0, 0]))
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert risk.tolist() == pytest.approx([0, 0, 0, 0.25])


def test_no_label_is_given_at_less_than_even_odds() -> None:
    probabilities = np.tile([0.4, 0.3, 0.2, 0.1], (50, 1))
    assert abstention_threshold(probabilities, np.zeros(50, int)) == MIN_ABSTAIN


def test_where_no_label_is_wrong_none_is_refused_above_even_odds() -> None:
    best = np.linspace(0.6, 0.99, 100)
    probabilities = np.stack([best, 1 - best, 0 * best, 0 * best], axis=1)
    assert abstention_threshold(probabilities, np.zeros(100, int)) == pytest.approx(0.6)


def test_the_threshold_keeps_the_risk_or_refuses_as_many_as_it_may() -> None:
    logits, truth = scores()
    probabilities = softmax(logits)
    threshold = abstention_threshold(probabilities, truth)
    given = probabilities.max(axis=1) >= threshold
    wrong = (probabilities.argmax(axis=1) != truth)[given].mean()
    assert wrong <= MAX_RISK or threshold == MIN_ABSTAIN or given.mean() <= KEEP_SURE + 1 / N


def test_few_fields_like_the_training_data_exceed_the_threshold() -> None:
    logits, truth = scores()
    ood_scores = np.random.default_rng(1).random(N)
    refused = (ood_scores > calibrate(logits, truth, ood_scores).ood_above).mean()
    assert refused == pytest.approx(1 - KEEP_IN_DISTRIBUTION, abs=0.002)
