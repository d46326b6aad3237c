"""Scores, on answers whose figures are known."""

import numpy as np
import pytest

from smear.classes import LABELS
from smear.inference.evaluator import Answer, Answers
from train.evaluation.scores import at_threshold, evaluate


def answer(truth: str, top: str | None, sure: float = 0.97, *, refused: bool = False, group: str = "") -> Answer:
    rest = (1.0 - sure) / 3
    chances = tuple(sure if name == top else rest for name in LABELS) if top else ()
    label = None if refused else top
    reasons = ("no white cell found",) if top is None else ("not sure enough",) if refused else ()
    return Answer(f"{truth}/{group}", truth, group, label, top, chances, reasons, 1 if top else 0, None)


@pytest.fixture
def answers() -> Answers:
    rows = [answer(label, label, group=f"{label}{i}") for label in LABELS for i in range(9)]
    rows += [answer("Pro", "Pre", 0.6, refused=True, group="x"), answer("Early", None, group="y")]
    return Answers(tuple(rows))


def test_a_field_without_a_cell_is_wrong_and_a_refused_one_counts_by_its_best_class(answers: Answers) -> None:
    found = evaluate(answers, 1.0)
    assert found.accuracy.value == pytest.approx(36 / 38)
    assert found.of_labelled.value == pytest.approx(36 / 36)
    assert found.labelled.value == pytest.approx(36 / 38)
    assert found.accuracy.low < found.accuracy.value < found.accuracy.high
    assert found.confusion.sum() == 38
    assert found.confusion[LABELS.index("Early"), len(LABELS)] == 1
    pro = found.by_class[LABELS.index("Pro")]
    assert (pro.precision, pro.recall, pro.n) == (1.0, 0.9, 10)


def test_a_temperature_is_taken_back_out_of_the_probabilities() -> None:
    logits = np.array([2.0, 0.5, -1.0, 0.0])
    cool = np.exp(logits / 0.5) / np.exp(logits / 0.5).sum()
    answers = Answers((Answer("Pre/1", "Pre", "a", "Pre", "Pre", tuple(map(float, cool)), (), 1, None),))
    assert answers.probabilities(0.5)[0] == pytest.approx(np.exp(logits) / np.exp(logits).sum())
    assert answers.probabilities()[0] == pytest.approx(cool)


def test_calibration_is_measured_before_and_after(answers: Answers) -> None:
    found = evaluate(answers, 0.5)
    assert found.ece_after.value != found.ece_before.value
    assert found.after.count.sum() == 37


def test_what_is_refused_below_a_threshold_leaves_no_error(answers: Answers) -> None:
    assert at_threshold(answers, 0.9) == pytest.approx((36 / 38, 0.0))
    assert at_threshold(answers, 0.5) == pytest.approx((37 / 38, 1 / 37))
    assert found_risk(answers) == pytest.approx(1 / 37)


def found_risk(answers: Answers) -> float:
    found = evaluate(answers, 1.0)
    return float(found.risk[-1])
