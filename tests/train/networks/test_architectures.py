"""Every network by name has the shape, the size and the output it is said to have."""

import os

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("tensorflow", reason="training needs the extra 'train'")

from keras import layers

from smear.classes import LABELS
from train.networks import architectures


def test_the_papers_cnn_has_the_published_number_of_parameters_and_multiply_adds() -> None:
    model = architectures.paper_cnn()
    assert model.count_params() == 2_967_008
    assert architectures.multiply_adds(model) == pytest.approx(1.16e9, rel=0.01)
    assert model.output_shape == (None, len(LABELS))


def test_the_papers_cnn_is_built_as_published() -> None:
    model = architectures.paper_cnn()
    convolutions = [layer for layer in model.layers if isinstance(layer, layers.Conv2D)]
    assert [layer.filters for layer in convolutions] == [200, 150, 100, 50]
    assert [layer.rate for layer in model.layers if isinstance(layer, layers.Dropout)] == [0.8, 0.8, 0.8]
    assert [layer.pool_size for layer in model.layers if isinstance(layer, layers.MaxPooling2D)] == [(4, 4), (4, 4)]


def test_its_dropout_is_a_choice() -> None:
    rates = {layer.rate for layer in architectures.paper_cnn(dropout=0.3).layers if isinstance(layer, layers.Dropout)}
    assert rates == {0.3}


@pytest.mark.parametrize(("name", "edge"), [("unet", 64), ("unet_light", 32)])
def test_a_segmenter_gives_three_channels_at_the_size_it_was_given_or_half(name: str, edge: int) -> None:
    model = getattr(architectures, name)(size=64)
    answer = np.asarray(model(np.random.default_rng(0).random((1, 64, 64, 3), np.float32)))
    assert model.name == name
    assert answer.shape == (1, edge, edge, 3)
    sums = answer.sum(axis=-1)
    assert bool(np.allclose(sums, 1, atol=1e-4)) == (name == "unet")  # softmax as published; ours gives logits


def test_the_light_segmenter_costs_a_tenth_of_the_papers_or_less() -> None:
    assert architectures.multiply_adds(architectures.unet_light(64)) * 10 <= architectures.multiply_adds(
        architectures.unet(64)
    )


def test_the_cell_classifier_has_one_more_output_for_what_is_no_cell() -> None:
    model = architectures.cellnet()
    assert model.input_shape == (None, 48, 48, 3)
    assert model.output_shape == (None, len(LABELS) + 1)
    assert model.count_params() < 200_000
