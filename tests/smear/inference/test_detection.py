"""Fields whose cells are of none of the four classes: told apart by their features, and refused when in doubt."""

from dataclasses import replace

import numpy as np
import pytest

from smear.bundle.manifest import Detector
from smear.errors import BundleError
from smear.inference.detection import FeatureModel, assess

FACTS = Detector(file="d.npz", limit=3.0, limit_few=1.0, few_cells=2, cell_limit=4.0, max_other_cells=0.5)


@pytest.fixture
def model() -> FeatureModel:
    """Classes along the first feature; the second tells cells of another kind."""
    centres = np.zeros((4, 2))
    centres[:, 0] = np.arange(4) * 10.0
    weights, typical = np.array([0.0, 1.0]), np.array([[0.0, 1.0], [0.0, 1.0]])
    return FeatureModel(
        np.zeros(2),
        np.ones(2),
        centres,
        np.eye(2),
        weights,
        np.array(-2.0),
        typical,
        np.array([1.0, 0.0]),
        np.array(3.0),
    )


def cells(*rows: tuple[float, float]) -> np.ndarray:
    return np.array(rows, float)


def test_a_field_at_the_middle_of_a_class_is_within(model: FeatureModel) -> None:
    found = assess(cells((10, 0), (10.2, 0), (9.8, 0)), model, FACTS)
    assert found.within
    assert found.score == pytest.approx(-2.0)
    assert found.other_cells == 0.0
    assert not found.resembles_others


def test_the_distance_is_to_the_nearest_class(model: FeatureModel) -> None:
    assert model.distance(cells((0, 0), (13, 4), (30, 0))).tolist() == pytest.approx([0.0, 5.0, 0.0])


def test_cells_of_another_kind_are_refused_and_named(model: FeatureModel) -> None:
    found = assess(cells((10, 6), (10, 7), (10, 8)), model, FACTS)
    assert not found.within
    assert found.resembles_others
    assert found.other_cells == 1.0


def test_what_is_unlike_both_is_refused_without_a_name(model: FeatureModel) -> None:
    found = assess(cells((60, 0), (60, 0), (60, 0)), model, FACTS)
    assert not found.within
    assert not found.resembles_others


def test_the_fewer_the_cells_the_lower_the_limit(model: FeatureModel) -> None:
    doubtful = (10.0, 2.0)
    assert assess(cells(doubtful, doubtful, doubtful), model, FACTS).within
    assert not assess(cells(doubtful, doubtful), model, FACTS).within


def test_a_field_is_refused_when_most_of_its_cells_are_of_another_kind(model: FeatureModel) -> None:
    ours, other = (10.0, -6.0), (10.0, 5.0)  # the mean of all hides the others
    found = assess(cells(ours, ours, other, other, other), model, FACTS)
    assert found.score <= FACTS.limit
    assert found.other_cells == pytest.approx(0.6)
    assert not found.within
    assert assess(cells(ours, ours, ours, other, other), model, FACTS).within


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("worst", [np.nan, np.inf])
def test_what_is_not_a_number_is_refused(model: FeatureModel, worst: float) -> None:
    assert not assess(cells((10, 0), (10, 0), (10, worst)), model, FACTS).within
    assert not assess(cells((worst, worst)), model, FACTS).within
    assert not replace(assess(cells((10, 0)), model, FACTS), limit=np.nan).within


def test_the_arrays_are_read_as_they_were_written(model: FeatureModel) -> None:
    read = FeatureModel.of(model.to_bytes(), "d.npz", 2)
    shown = cells((3, 1), (25, -2))
    assert read.score(shown) == pytest.approx(model.score(shown))


@pytest.mark.parametrize(
    ("content", "features"), [(b"", 2), (b"PK\x03\x04 cut", 2), (None, 3)], ids=["empty", "cut", "other features"]
)
def test_a_damaged_file_is_named(model: FeatureModel, content: bytes | None, features: int) -> None:
    with pytest.raises(BundleError, match=r"d\.npz"):
        FeatureModel.of(model.to_bytes() if content is None else content, "d.npz", features)


def test_arrays_that_hold_no_numbers_are_refused(model: FeatureModel) -> None:
    with pytest.raises(BundleError, match="bias"):
        FeatureModel.of(replace(model, bias=np.array(np.nan)).to_bytes(), "d.npz", 2)
