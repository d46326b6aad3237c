"""The detector on made-up features: what it learns, and what its limits promise."""

from collections.abc import Sequence

import numpy as np
import pytest

from smear.inference.detection import assess
from train.evaluation.features.observed_fields import ObservedField
from train.fitting.detection.detector import (
    FEW_CELLS,
    CellExamples,
    OwnFields,
    conformal_limit,
    detector_facts,
    few_cells_temperature,
    fit,
)

FEATURES = 6
RNG = np.random.default_rng(11)
Labelled = list[tuple[ObservedField, int]]


def field(centre: np.ndarray, cells: int, log: Sequence[float] = (0, -3, -3, -3)) -> ObservedField:
    features = centre + RNG.normal(0, 1, FEATURES) + RNG.normal(0, 1, (cells, FEATURES))
    return ObservedField(
        "made up",
        features,
        np.array(log, float),
        refused=False,
        labelled_before=True,
        other_share=0.0,
        centres=np.zeros((cells, 2)),
    )


def ours(count: int, cells: int = 8) -> Labelled:
    return [(field(6.0 * np.eye(4, FEATURES)[row % 4], cells), row % 4) for row in range(count)]


def others(count: int, cells: int = 8) -> list[ObservedField]:
    centre = np.zeros(FEATURES)
    centre[5] = 5.0
    return [field(centre, cells) for _ in range(count)]


@pytest.fixture(scope="module")
def own() -> OwnFields:
    few = {
        count: [(field(np.zeros(FEATURES), count, (0, -0.5, -4, -4)), row % 2) for row in range(40)] for count in (1, 2)
    }
    rendered = [one for one, _ in ours(40)]
    train, validation = ours(200) + ours(20, cells=1), ours(200) + ours(10, cells=2)
    return OwnFields(train, validation, ours(200), ours(100), ours(100), ours(100), rendered, few)


def test_cells_of_another_laboratory_are_refused_and_our_own_are_not(own: OwnFields) -> None:
    model = fit(own, [others(80)])
    facts = detector_facts(model, own, ["elsewhere"])
    unseen = [assess(one.features, model, facts) for one in others(50)]
    assert not any(found.within for found in unseen)
    assert all(found.resembles_others for found in unseen)
    kept = [assess(one.features, model, facts).within for one, _ in ours(200)]
    assert np.mean(kept) > 0.95


def test_what_no_laboratory_taught_is_refused_for_its_distance(own: OwnFields) -> None:
    model = fit(own, [others(80)])
    facts = detector_facts(model, own, [])
    far = np.zeros(FEATURES)
    far[4] = 12.0
    assert not any(assess(field(far, 8).features, model, facts).within for _ in range(20))


def test_a_laboratory_has_no_more_weight_for_having_more_pictures(own: OwnFields) -> None:
    first, second = others(40), others(40)
    once, often = fit(own, [first, second]), fit(own, [first * 5, second])
    assert often.weights == pytest.approx(once.weights, rel=0.2, abs=0.05)  # the regularisation weighs a little less


def test_a_laboratory_in_whose_pictures_no_cell_is_found_teaches_nothing(own: OwnFields) -> None:
    nothing = ObservedField("x", np.zeros((0, FEATURES)), np.zeros(4), True, False, 1.0, np.zeros((0, 2)))
    known = others(40)
    assert fit(own, [known, [nothing]]).weights == pytest.approx(fit(own, [known]).weights)


def test_fields_with_few_cells_have_a_limit_of_their_own_that_is_never_wider(own: OwnFields) -> None:
    facts = detector_facts(fit(own, [others(80)]), own, [])
    assert facts.few_cells == FEW_CELLS
    assert facts.limit_few <= facts.limit


def test_the_temperature_of_few_cells_is_never_below_that_of_many(own: OwnFields) -> None:
    wide = few_cells_temperature(own, 0.2)
    assert len(wide) == FEW_CELLS
    assert min(wide) > 0.2
    assert few_cells_temperature(own, 50.0) == (50.0, 50.0)


def test_the_conformal_limit_keeps_its_promise() -> None:
    scores = np.arange(99, dtype=float)
    assert conformal_limit(scores, 0.01) == 98.0  # one field in a hundred is above the highest of 99
    assert conformal_limit(scores, 0.5) == 49.0
    draws = RNG.normal(size=(400, 200))
    above = [(row[100:] > conformal_limit(row[:100], 0.1)).mean() for row in draws]
    assert np.mean(above) == pytest.approx(0.1, abs=0.01)


def test_what_is_no_leukocyte_is_told_apart_cell_by_cell_and_few_of_our_own_are_lost():
    own = OwnFields(ours(120), ours(120), ours(40), ours(60), ours(60), ours(60), others(20), {})
    direction = np.zeros(FEATURES)
    direction[4] = 8.0
    none, leukocytes = direction + RNG.normal(0, 1, (60, FEATURES)), -direction + RNG.normal(0, 1, (60, FEATURES))
    model = fit(own, [others(40)], CellExamples(leukocytes, none))
    assert (model.leukocyte(direction + RNG.normal(0, 1, (40, FEATURES))) < 0).mean() > 0.9
    assert (model.leukocyte(leukocytes) > 0).all()
    tested = np.concatenate([field.features for field, _ in own.test])
    assert (model.leukocyte(tested) < 0).mean() < 0.02
    assert (fit(own, [others(40)]).leukocyte(none) > 0).all()  # without examples every cell counts
