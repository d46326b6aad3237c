"""Masks of thresholds against drawn ones, with what is to be ignored left out."""

import numpy as np
import pytest

from train.evaluation.threshold_masks import CELL, IGNORE, score


def test_a_perfect_mask_scores_one_and_ignored_pixels_count_nowhere() -> None:
    truth = np.zeros((10, 10), np.uint8)
    truth[2:6, 2:6] = CELL
    truth[8:] = IGNORE
    found = truth == CELL
    found[8:] = True
    perfect = score("any", "Pre/1.jpg", found, truth)
    assert (perfect.dice, perfect.iou, perfect.accuracy, perfect.recall) == (1.0, 1.0, 1.0, 1.0)
    assert perfect.label == "Pre"


def test_half_of_a_cell_is_half_of_its_recall() -> None:
    truth = np.zeros((10, 10), np.uint8)
    truth[2:6, 2:6] = CELL
    found = np.zeros((10, 10), bool)
    found[2:4, 2:6] = True
    half = score("any", "Pro/1.jpg", found, truth)
    assert half.recall == pytest.approx(0.5)
    assert half.dice == pytest.approx(2 * 8 / 24)
    assert half.accuracy == pytest.approx(0.92)
