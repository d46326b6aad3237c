"""Each laboratory is judged by a detector that it did not teach, and every kind of label is counted."""

import numpy as np
import pytest

from smear.bundle.manifest import Classifier
from smear.metrics import wilson_interval
from train.data.laboratories import CONDITIONS, Laboratory, white_balanced
from train.evaluation.features.observed_fields import ObservedField
from train.fitting.detection.ablation import ablate
from train.fitting.detection.detector import OwnFields
from train.fitting.detection.leave_one_laboratory_out import Count, fit_detector, leave_one_out, own_figures
from train.fitting.detection.observation_run import LaboratoryFields, turned

FEATURES = 6
RNG = np.random.default_rng(21)
FACTS = Classifier(
    name="x", shown="cells", input_size=224, output="logits", other=True, temperature=0.5, abstain_below=0.5,
    features=FEATURES, levels={},
)  # fmt: skip


def field(name: str, at: int, away: float, top: int = 3, cells: int = 6, refused: bool = False) -> ObservedField:
    centre = away * np.eye(FEATURES)[at]
    log = np.full(4, -4.0)
    log[top] = -0.05
    features = centre + RNG.normal(0, 0.5, FEATURES) + RNG.normal(0, 1, (cells, FEATURES))
    return ObservedField(name, features, log, refused, not refused, 0.1, np.zeros((cells, 2)))


def own(count: int) -> list[tuple[ObservedField, int]]:
    return [(field(f"own/{row}", row % 4, 6.0, row % 4), row % 4) for row in range(count)]


def laboratory(name: str, at: int, teaches: bool = True) -> LaboratoryFields:
    fields = [field(f"{name}/{row}", at, 7.0, top=row % 2, refused=row % 4 == 1) for row in range(40)]
    empty = ObservedField(f"{name}/empty", np.zeros((0, FEATURES)), np.zeros(4), True, False, 1.0, np.zeros((0, 2)))
    one = Laboratory(name, name, 0.1, teaches=teaches)
    return LaboratoryFields(one, {condition: [*fields, empty] for condition in CONDITIONS})


@pytest.fixture(scope="module")
def ours() -> OwnFields:
    few = {count: own(20) for count in (1, 2)}
    return OwnFields(own(120), own(120), own(80), own(60), own(60), own(60), [one for one, _ in own(20)], few)


@pytest.fixture(scope="module")
def laboratories() -> list[LaboratoryFields]:
    return [laboratory("a", 4), laboratory("b", 4), laboratory("c", 5, teaches=False)]


def test_each_laboratory_has_a_row_for_each_condition_and_its_parts(
    ours: OwnFields, laboratories: list[LaboratoryFields]
) -> None:
    rows = leave_one_out(ours, laboratories, FACTS, {"a": ("a",)})
    assert [row.laboratory for row in rows[:: len(CONDITIONS)]] == ["a", "a, as", "b", "c"]
    first = rows[0]
    assert (first.before.n, first.gated.n) == (41, 41)
    assert first.before == Count(41, 10, 20)  # of 20 leukaemias ten are refused for their light
    assert first.detector.leukaemia == first.gated.leukaemia == 0


def test_a_laboratory_that_only_measures_is_no_source(ours: OwnFields, laboratories: list[LaboratoryFields]) -> None:
    fitted = fit_detector(ours, laboratories, FACTS)
    assert fitted.facts.sources == ("a", "b")
    assert fitted.classifier.ood_above is None


def test_our_own_fields_keep_their_labels(ours: OwnFields, laboratories: list[LaboratoryFields]) -> None:
    figures = own_figures(ours, fit_detector(ours, laboratories, FACTS))
    assert figures.n == 80
    assert figures.labelled > 72
    assert figures.right == figures.labelled


def test_every_score_is_compared_on_the_same_fields(ours: OwnFields, laboratories: list[LaboratoryFields]) -> None:
    rows = ablate(ours, laboratories)
    assert [row.score for row in rows][-1] == "both added (ships)"
    assert {row.held_out["no scale"].n for row in rows} == {3 * 41}
    assert min(rows, key=lambda row: row.worst).score != "share of the classifier's own 'other'"


def test_the_upper_ends_are_those_of_the_interval() -> None:
    count = Count(100, 1, 0) + Count(100, 0, 2)
    assert count == Count(200, 1, 2)
    assert count.leukaemia_upper == wilson_interval(1, 200)[1]
    assert count.benign_upper == wilson_interval(2, 200)[1]


def test_a_tinted_background_becomes_neutral() -> None:
    image = np.full((40, 40, 3), (200, 240, 180), np.uint8)
    image[10:20, 10:20] = (100, 60, 120)
    cell = np.zeros((40, 40), bool)
    cell[10:20, 10:20] = True
    balanced = white_balanced(image, cell)
    assert balanced[0, 0].tolist() == [240, 240, 240]
    assert balanced[15, 15].tolist() == [120, 60, 160]


def test_a_field_is_seen_in_all_eight_ways_that_a_camera_may_be_turned() -> None:
    image = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    assert len({turned(image, number).tobytes() for number in range(8)}) == 8
