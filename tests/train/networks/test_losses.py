"""The mask loss learns from what was drawn and from nothing else."""

import os

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("tensorflow", reason="training needs the extra 'train'")

import keras

from train.data.masks import BG, CELL, CYTO, IGNORE, NUC
from train.networks.losses import mask_loss, mask_loss_of_softmax

RNG = np.random.default_rng(0)


def scene(cell: int = CYTO, nucleus: int = NUC) -> np.ndarray:
    codes = np.full((1, 32, 32), BG, np.uint8)
    codes[0, 8:24, 8:24] = cell
    codes[0, 12:20, 12:20] = nucleus
    return codes


def right_logits(codes: np.ndarray, sure: float = 12.0) -> np.ndarray:
    return np.stack([codes == BG, codes == CYTO, codes == NUC], axis=-1).astype(np.float32) * sure


def loss(codes: np.ndarray, logits: np.ndarray) -> float:
    return float(mask_loss(codes, logits))


def test_a_right_answer_costs_next_to_nothing_and_a_wrong_one_much() -> None:
    codes = scene()
    assert loss(codes, right_logits(codes)) < 0.02
    assert loss(codes, -right_logits(codes)) > 5


def test_ignored_pixels_cost_nothing_whatever_is_said_of_them() -> None:
    codes = scene()
    codes[:, :4] = IGNORE
    first, second = (right_logits(scene()) for _ in range(2))
    second[:, :4] = RNG.normal(0, 9, second[:, :4].shape)
    assert loss(codes, first) == pytest.approx(loss(codes, second), rel=1e-5)


def test_where_nobody_drew_the_nucleus_its_place_costs_nothing() -> None:
    codes = scene(CELL, CELL)
    as_drawn, all_cytoplasm = right_logits(scene()), right_logits(scene(CYTO, CYTO))
    assert loss(codes, as_drawn) == pytest.approx(loss(codes, all_cytoplasm), abs=1e-3)
    assert loss(codes, as_drawn) < 0.02
    assert loss(codes, -right_logits(scene())) > 1


def test_a_missed_nucleus_costs_where_it_was_drawn() -> None:
    assert loss(scene(), right_logits(scene(CYTO, CYTO))) > loss(scene(), right_logits(scene())) + 0.5


def test_probabilities_cost_what_their_logits_do() -> None:
    codes, logits = scene(), RNG.normal(0, 2, (1, 32, 32, 3)).astype(np.float32)
    grown = np.exp(logits)
    soft = grown / grown.sum(axis=-1, keepdims=True)
    assert float(mask_loss_of_softmax(codes, soft)) == pytest.approx(loss(codes, logits), rel=1e-3)


def test_an_all_ignored_batch_is_finite() -> None:
    assert np.isfinite(loss(np.full((1, 8, 8), IGNORE, np.uint8), np.zeros((1, 8, 8, 3), np.float32)))


def test_smaller_logits_are_judged_at_the_size_of_the_mask() -> None:
    codes = scene()
    half = right_logits(codes)[:, ::2, ::2]
    enlarged = np.asarray(keras.ops.image.resize(half, (32, 32), interpolation="bilinear"))
    assert loss(codes, half) == pytest.approx(loss(codes, enlarged))
    assert loss(codes, half) < 0.15
