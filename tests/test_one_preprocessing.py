"""The same weights say the same of the same pictures through Keras in training and through the bundle on the device."""

import os
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("tensorflow", reason="comparing with Keras needs the extra 'train'")

import keras

from smear.bundle.folder import load_bundle
from smear.findings import Frame
from smear.imaging.masking import CROP_SIZE
from smear.imaging.resampling import FIELD_SIZE, to_model_scale
from smear.inference.aggregation import aggregate
from smear.inference.frame_processor import FrameProcessor
from smear.inference.pipeline import Pipeline
from smear.inference.segmentation import segment
from smear.synthetic import render
from tests.tiny_bundle import CLASS_BIAS, CLASS_WEIGHTS, SEGMENT_BIAS, SEGMENT_WEIGHTS
from train.data.sampling.crops import cut_cells, on_neutral_background
from train.networks.segmentation import segment_with


@pytest.fixture(scope="module")
def processor(tiny_bundle: Path):
    opened = FrameProcessor(Pipeline(load_bundle(tiny_bundle), "float32"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def segmenter() -> keras.Model:
    inputs = keras.Input((FIELD_SIZE, FIELD_SIZE, 3))
    layer = keras.layers.Conv2D(3, 1)
    model = keras.Model(inputs, layer(inputs))
    layer.set_weights([SEGMENT_WEIGHTS.T.reshape(1, 1, 3, 3), SEGMENT_BIAS])
    return model


@pytest.fixture(scope="module")
def classifier() -> keras.Model:
    inputs = keras.Input((CROP_SIZE, CROP_SIZE, 3))
    layer = keras.layers.Dense(5)
    model = keras.Model(inputs, layer(keras.layers.GlobalAveragePooling2D()(inputs)))
    layer.set_weights([CLASS_WEIGHTS.T, CLASS_BIAS])
    return model


@pytest.mark.parametrize(("label", "shape", "drawn_um"), [
    ("Benign", (224, 224), 0.5), ("Early", (300, 400), 0.3), ("Pre", (224, 224), 0.5), ("Pro", (100, 130), 0.9),
])  # fmt: skip
def test_training_and_device_see_the_same(
    processor: FrameProcessor, segmenter: keras.Model, classifier: keras.Model, label: str, shape: tuple[int, int],
    drawn_um: float,
) -> None:  # fmt: skip
    image = render(label, 50, shape, drawn_um).image
    pipeline = processor.pipeline
    facts = pipeline.bundle.manifest
    view = to_model_scale(image)
    trained, ran = segment_with(segmenter)(view), segment(view, pipeline.segmenter, facts.segmenter)
    assert np.allclose(trained, ran, atol=1e-4)

    pixels, weights = cut_cells(view, trained)
    logits = np.asarray(classifier.predict_on_batch(on_neutral_background(pixels).astype(np.float32) / 255.0))
    expected = aggregate(logits, weights, facts.classifier.temperature).probabilities
    finding = processor.examine(Frame(image, "drawn"))
    assert len(finding.cells) >= len(pixels) > 0
    assert list(finding.probabilities.values()) == pytest.approx(expected.tolist(), abs=1e-4)
