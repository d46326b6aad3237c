"""The figures agree with scikit-learn, and an interval respects groups."""

import numpy as np
import pytest
from sklearn import metrics as reference

from smear import metrics

RNG = np.random.default_rng(7)
TRUTH, PREDICTED = RNG.integers(0, 4, 300), RNG.integers(0, 4, 300)


def test_class_figures_agree_with_scikit_learn() -> None:
    p, r, f, _ = reference.precision_recall_fscore_support(TRUTH, PREDICTED, labels=range(4), zero_division=0)
    assert metrics.accuracy(TRUTH, PREDICTED) == pytest.approx(reference.accuracy_score(TRUTH, PREDICTED))
    assert metrics.precision(TRUTH, PREDICTED, 4) == pytest.approx(p)
    assert metrics.recall(TRUTH, PREDICTED, 4) == pytest.approx(r)
    assert metrics.f1(TRUTH, PREDICTED, 4) == pytest.approx(f)
    assert metrics.macro_f1(TRUTH, PREDICTED, 4) == pytest.approx(f.mean())
    assert (metrics.confusion_matrix(TRUTH, PREDICTED, 4) == reference.confusion_matrix(TRUTH, PREDICTED)).all()


def test_a_class_that_never_occurs_does_not_lower_macro_f1() -> None:
    truth, predicted = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    expected = reference.f1_score(truth, predicted, average="macro")
    assert metrics.macro_f1(truth, predicted, 4) == pytest.approx(expected)


def test_dice_and_iou_agree_with_scikit_learn_outside_the_ignored_zone() -> None:
    truth, found, ignore = RNG.random((3, 40, 50)) > 0.6
    t, f = truth[~ignore], found[~ignore]
    assert metrics.dice(truth, found, ignore) == pytest.approx(reference.f1_score(t, f))
    assert metrics.iou(truth, found, ignore) == pytest.approx(reference.jaccard_score(t, f))
    assert metrics.dice(truth & False, truth & False) == 1.0


def test_calibration_error_is_the_mean_gap_by_bin() -> None:
    p = RNG.dirichlet(np.ones(4), 500)
    truth = RNG.integers(0, 4, 500)
    confidence, right, expected = p.max(1), p.argmax(1) == truth, 0.0
    for low in np.arange(15) / 15:
        inside = (confidence > low) & (confidence <= low + 1 / 15)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert metrics.expected_calibration_error(truth, p) == pytest.approx(expected)


def test_wilson_interval_gives_the_published_values() -> None:
    assert metrics.wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)  # Newcombe 1998, table I
    assert metrics.wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert metrics.wilson_interval(0, 0) == (0.0, 1.0)


def test_repeated_pictures_of_one_group_do_not_narrow_the_interval() -> None:
    values = RNG.random(40)
    repeated, groups = np.repeat(values, 10), np.repeat(np.arange(40), 10)
    mean = lambda drawn: float(drawn.mean())  # noqa: E731
    alone = metrics.bootstrap_interval(values, np.arange(40), mean, seed=1)
    assert metrics.bootstrap_interval(repeated, groups, mean, seed=1) == pytest.approx(alone)
    wide, narrow = np.ptp(alone), np.ptp(metrics.bootstrap_interval(repeated, np.arange(400), mean, seed=1))
    assert narrow < wide / 2


def test_objects_match_by_overlap_and_never_twice() -> None:
    truth, found = np.zeros((20, 40), int), np.zeros((20, 40), int)
    truth[2:12, 2:12], truth[2:12, 20:30] = 1, 2
    found[2:12, 4:14], found[2:12, 20:25], found[2:12, 25:30], found[15:18, 2:5] = 7, 8, 9, 3
    # 80 of 120 pixels are shared by the first pair; each half of the second is just 0.5, which is not more.
    assert metrics.match_objects(truth, found) == (1, 2, 4)
    assert metrics.match_objects(truth, found, 0.7) == (0, 2, 4)
    assert metrics.match_objects(truth, truth) == (2, 2, 2)
    assert metrics.match_objects(truth * 0, found) == (0, 0, 4)


def test_a_prediction_that_is_no_class_counts_against_the_true_class_alone() -> None:
    truth, predicted = np.array([0, 0, 1, 1]), np.array([0, 2, 1, 1])  # 2: no cell found
    assert metrics.macro_f1(truth, predicted, 3, of_truth=True) == pytest.approx((2 / 3 + 1) / 2)
    assert metrics.macro_f1(truth, predicted, 3) == pytest.approx((2 / 3 + 1 + 0) / 3)
