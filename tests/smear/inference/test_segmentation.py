"""The segmenter on every tile, joined to one map of probabilities."""

from pathlib import Path

import numpy as np
import pytest

from smear.bundle.manifest import Segmenter, read_manifest
from smear.classes import LABELS
from smear.imaging.resampling import to_model_scale
from smear.inference.segmentation import segment
from smear.inference.tflite import open_runtime
from smear.metrics import dice
from smear.synthetic import red_cells_only, render
from tests.tiny_bundle import SEGMENT_BIAS, SEGMENT_WEIGHTS


@pytest.fixture
def facts(tiny_bundle: Path) -> Segmenter:
    return read_manifest(tiny_bundle).segmenter


@pytest.fixture
def model(tiny_bundle: Path):
    opened = open_runtime(tiny_bundle / "segmenter.float32.tflite")
    yield opened
    opened.close()


@pytest.mark.parametrize("label", LABELS)
def test_drawn_cells_are_found(model, facts: Segmenter, label: str) -> None:
    field = render(label, 50, cells=10)
    found = segment(to_model_scale(field.image), model, facts)[..., 0] < 0.5
    assert dice(field.mask.cell, found) > 0.8


def test_where_there_are_only_red_cells_next_to_nothing_is_found(model, facts: Segmenter) -> None:
    found = segment(to_model_scale(red_cells_only(1).image), model, facts)[..., 0] < 0.5
    assert found.mean() < 0.01


@pytest.mark.parametrize(("height", "width"), [(224, 224), (240, 320), (600, 401)])
def test_tiles_are_joined_without_a_seam(model, facts: Segmenter, height: int, width: int) -> None:
    image = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    found = segment(to_model_scale(image, 0.5), model, facts)
    logits = image / 255.0 @ SEGMENT_WEIGHTS.T + SEGMENT_BIAS  # a 1x1 convolution knows no tile
    expected = np.exp(logits - logits.max(axis=-1, keepdims=True))
    expected /= expected.sum(axis=-1, keepdims=True)
    assert found.shape == (height, width, 3)
    assert np.allclose(found, expected, atol=1e-3)


def test_probabilities_sum_to_one(model, facts: Segmenter) -> None:
    assert segment(to_model_scale(render("Pre", 1).image), model, facts).sum(axis=-1) == pytest.approx(1, abs=1e-4)


def test_a_model_that_gives_probabilities_is_not_put_through_softmax_again(model, facts: Segmenter) -> None:
    view = to_model_scale(render("Pre", 1).image)
    raw = segment(view, model, facts.model_copy(update={"output": "probabilities"}))
    soft = segment(view, model, facts)
    grown = np.exp(raw - raw.max(axis=-1, keepdims=True))
    assert np.allclose(grown / grown.sum(axis=-1, keepdims=True), soft, atol=1e-4)
