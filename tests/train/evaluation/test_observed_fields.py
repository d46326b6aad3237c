"""What the bundle that ships sees in a field, before its detector decides."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from smear.bundle.folder import load_bundle
from smear.synthetic import blank, render
from train.evaluation.features.observed_fields import Observer, without_detector

BUNDLE = load_bundle(Path(__file__).parents[3] / "models" / "default")


@pytest.fixture(scope="module")
def observer() -> Iterator[Observer]:
    opened = Observer(BUNDLE, "int8")
    yield opened
    opened.close()


def test_each_cell_has_its_features_and_the_field_its_log_probabilities(observer: Observer) -> None:
    field = observer.observe("drawn", render("Pre", 51, cells=14).image, None)
    assert field.features.shape == (field.cells, BUNDLE.manifest.classifier.features)
    assert field.cells > 5
    assert field.top == 2
    assert not field.refused


def test_a_field_without_a_cell_is_refused_and_has_no_features(observer: Observer) -> None:
    field = observer.observe("blank", blank(3).image, None)
    assert (field.cells, field.refused, field.labelled_before) == (0, True, False)


def test_a_field_is_seen_with_as_many_of_its_cells_as_are_asked_for(observer: Observer) -> None:
    image = render("Pre", 51, cells=14).image
    fields = observer.observe_few_cells("drawn", image, (1, 2, 500), np.random.default_rng(0))
    assert [field.cells for field in fields] == [1, 2]
    assert all(np.isfinite(field.features).all() for field in fields)


def test_what_decides_is_taken_out_and_what_is_seen_stays() -> None:
    plain = without_detector(BUNDLE).manifest.classifier
    assert plain.detector is None
    assert plain.few_cells_temperature == ()
    assert plain.features == BUNDLE.manifest.classifier.features
