"""The last layer follows a site that looks different, and keeps the old one."""

import numpy as np

from train.fitting.adaptation import site_adaptation
from train.fitting.adaptation.site_adaptation import (
    class_log_probabilities,
    fit_head,
    folds_of,
    lost_answers,
    statistics_of,
)
from train.networks.tflite_head import Head

RNG = np.random.default_rng(3)
CENTRES = 2.0 + RNG.random((4, 8)) * 3.0
TRUTH = np.repeat(np.arange(4), 40)
SHIFT = np.where(np.arange(8) < 4, 1.2, 0.0)


def fields(shift: np.ndarray | float = 0.0, truth: np.ndarray = TRUTH) -> np.ndarray:
    return np.maximum(CENTRES[truth] + shift + RNG.normal(0, 0.35, (len(truth), 8)), 0)


OLD = statistics_of(fields(), TRUTH)
HEAD = fit_head(Head(np.zeros((5, 8)), np.zeros(5)), fields(), TRUTH, OLD, 0.001)


def right(head: Head, features: np.ndarray, truth: np.ndarray = TRUTH) -> float:
    return float(np.mean(class_log_probabilities(head, features).argmax(axis=1) == truth))


def test_a_few_fields_of_another_site_teach_it_and_the_old_one_is_kept() -> None:
    few = np.repeat(np.arange(4), 10)
    fitted = fit_head(HEAD, fields(SHIFT, few), few, OLD, 0.01)
    assert right(fitted, fields(SHIFT)) >= right(HEAD, fields(SHIFT)) + 0.02
    assert right(fitted, fields()) >= right(HEAD, fields()) - 0.02
    assert lost_answers(HEAD, fitted, OLD) < 0.05


def test_without_replay_more_of_the_old_site_is_forgotten(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    few = np.repeat(np.arange(4), 10)
    features = fields(2 * SHIFT, few)
    with_replay = fit_head(HEAD, features, few, OLD, 0.003)
    monkeypatch.setattr(site_adaptation, "REPLAY", 0.0)
    without = fit_head(HEAD, features, few, OLD, 0.003)
    drawn = OLD.sample(np.random.default_rng(1))
    before, *after = (class_log_probabilities(head, drawn) for head in (HEAD, without, with_replay))
    changed = [np.abs(each - before).mean() for each in after]
    assert changed[0] > changed[1]


def test_answers_that_change_from_wrong_to_right_are_no_loss() -> None:
    poor = Head(HEAD.weights + np.random.default_rng(3).normal(0, 1, HEAD.weights.shape), HEAD.bias)
    assert lost_answers(poor, HEAD, OLD) < 0 < lost_answers(HEAD, poor, OLD)


def test_a_strong_penalty_leaves_the_layer_as_it_was_and_other_is_never_changed() -> None:
    fitted = fit_head(HEAD, fields(SHIFT), TRUTH, OLD, 1e6)
    assert np.allclose(fitted.weights, HEAD.weights, atol=1e-3)
    loose = fit_head(HEAD, fields(SHIFT), TRUTH, OLD, 0.01)
    assert np.array_equal(loose.weights[4], HEAD.weights[4])
    assert loose.bias[4] == HEAD.bias[4]


def test_whole_slides_are_held_out_and_each_field_once() -> None:
    slides = np.array([f"{label}-{number // 5}" for label in range(4) for number in range(40)])
    parts = folds_of(TRUTH, slides.tolist(), 3, 0)
    assert (np.sum(parts, axis=0) == 1).all()
    for part in parts:
        assert set(slides[part]).isdisjoint(slides[~part])
        assert all(0.2 <= part[label == TRUTH].mean() <= 0.45 for label in range(4))


def test_a_class_of_one_slide_is_divided_by_field() -> None:
    parts = folds_of(TRUTH, ["a"] * 40 + [f"{number}" for number in range(120)], 3, 0)
    assert all(0.3 <= part[:40].mean() <= 0.4 for part in parts)


def test_a_slide_that_holds_nearly_all_fields_of_a_class_still_leaves_parts() -> None:
    truth = np.repeat([0, 1], 6)
    parts = folds_of(truth, ["a"] * 5 + ["b", "c", "c", "c", "d", "d", "d"], 3, 0)
    assert (np.sum(parts, axis=0) == 1).all()
    assert len(parts) >= 2
