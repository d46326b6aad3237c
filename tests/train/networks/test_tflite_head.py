"""The last layer of a classifier is read and replaced at every level, and nothing else of the file changes."""

from pathlib import Path

import numpy as np
import pytest

from smear.bundle.folder import load_bundle
from smear.errors import TrainingError
from smear.inference.tflite import open_runtime
from tests.train.cells_bundle import map_model
from train.networks.tflite_head import Head, read_head, with_head, without_head

SHIPPED = Path(__file__).parents[3] / "models/default"
RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (1, 224, 224, 3), np.uint8)


def answer(data: bytes, folder: Path) -> np.ndarray:
    file = folder / "model.tflite"
    file.write_bytes(data)
    model = open_runtime(file)
    found = model.invoke(PICTURE)
    model.close()
    return found


def test_a_last_layer_is_read_as_it_was_written() -> None:
    weights, bias = RNG.normal(size=(5, 6)), RNG.normal(size=5)
    head = read_head(map_model(weights.astype(np.float32), bias.astype(np.float32)))
    assert np.allclose(head.weights, weights, atol=1e-6)
    assert np.allclose(head.bias, bias, atol=1e-6)


def test_a_classifier_without_a_1x1_convolution_at_its_end_is_refused(tiny_bundle: Path) -> None:
    with pytest.raises(TrainingError, match="does not end with a 1x1 convolution"):
        read_head((tiny_bundle / "classifier.float32.tflite").read_bytes())


@pytest.mark.parametrize("level", ["float32", "float16", "int8"])
def test_another_last_layer_gives_its_logits_at_every_level_that_ships(level: str, tmp_path: Path) -> None:
    data = load_bundle(SHIPPED).model("classifier", level).read_bytes()
    known = read_head(data)
    features = answer(without_head(data), tmp_path)
    head = Head(known.weights[::-1] * 1.5, known.bias[::-1] + 1.0)
    wanted = head.logits(features)
    found = answer(with_head(data, head, float(wanted.min()), float(wanted.max())), tmp_path)[..., : len(head.bias)]
    tolerance = {"float32": 1e-4, "float16": 0.01, "int8": 0.02}[level] * float(np.ptp(wanted))
    assert np.abs(found - wanted).max() <= max(tolerance, 1e-3)


def test_the_same_last_layer_gives_the_same_answers(tmp_path: Path) -> None:
    data = load_bundle(SHIPPED).model("classifier", "float32").read_bytes()
    assert np.allclose(answer(with_head(data, read_head(data), 0, 0), tmp_path), answer(data, tmp_path), atol=1e-5)
