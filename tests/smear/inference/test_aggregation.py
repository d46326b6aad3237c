"""Pooling what a classifier says of each cell."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from smear.inference.aggregation import aggregate, other_probability, pool

LOGITS = arrays(np.float64, st.tuples(st.integers(1, 9), st.sampled_from([4, 5])), elements=st.floats(-30, 30))


@given(LOGITS, st.floats(0.05, 20))
def test_probabilities_are_four_and_sum_to_one(logits: np.ndarray, temperature: float) -> None:
    verdict = aggregate(logits, np.ones(len(logits)), temperature)
    assert verdict.probabilities.shape == (4,)
    assert verdict.probabilities.sum() == pytest.approx(1)
    assert verdict.cell_probabilities.shape == (len(logits), 4)
    assert verdict.cell_probabilities.sum(axis=1) == pytest.approx(1)


@given(LOGITS, st.randoms(use_true_random=False))
def test_the_order_of_cells_does_not_matter(logits: np.ndarray, random) -> None:
    order = list(range(len(logits)))
    random.shuffle(order)
    say = np.linspace(0.1, 1, len(logits))
    assert pool(logits[order], say[order]) == pytest.approx(pool(logits, say))


@given(LOGITS, st.floats(-50, 50))
def test_a_constant_added_to_every_logit_changes_nothing(logits: np.ndarray, constant: float) -> None:
    say = np.ones(len(logits))
    assert pool(logits + constant, say) == pytest.approx(pool(logits, say))


@given(LOGITS, st.floats(0.05, 20))
def test_temperature_never_changes_the_best_class(logits: np.ndarray, temperature: float) -> None:
    say = np.ones(len(logits))
    pooled = pool(logits, say)
    assert pooled[aggregate(logits, say, temperature).probabilities.argmax()] == pytest.approx(pooled.max())


def test_a_cell_with_more_say_weighs_more() -> None:
    logits = np.array([[5.0, 0, 0, 0], [0, 5.0, 0, 0]])
    assert aggregate(logits, np.array([1.0, 0.1]), 1).probabilities.argmax() == 0
    assert aggregate(logits, np.array([0.1, 1.0]), 1).probabilities.argmax() == 1


def test_a_cell_taken_for_something_else_loses_its_say() -> None:
    logits = np.array([[6.0, 0, 0, 0, 20.0], [0, 1.0, 0, 0, -20.0]])
    assert aggregate(logits, np.ones(2), 1).probabilities.argmax() == 1


def test_a_field_of_nothing_but_other_things_still_gives_probabilities() -> None:
    verdict = aggregate(np.array([[0.0, 3.0, 0, 0, 60.0]] * 3), np.ones(3), 1)
    assert np.isfinite(verdict.probabilities).all()
    assert verdict.ood_score == pytest.approx(1)


def test_without_an_output_for_other_nothing_is_strange_and_no_score_is_given() -> None:
    logits = np.zeros((3, 4))
    assert other_probability(logits).tolist() == [0, 0, 0]
    assert aggregate(logits, np.ones(3), 1).ood_score is None


def test_the_score_is_the_share_of_say_that_went_to_other() -> None:
    logits = np.array([[0.0, 0, 0, 0, 50], [0, 0, 0, 0, -50]])
    assert aggregate(logits, np.array([0.25, 0.75]), 1).ood_score == pytest.approx(0.25, abs=1e-4)
