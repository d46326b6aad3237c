"""A second output for the classifier: no weight changes, and a model without a feature map says so."""

from pathlib import Path

import numpy as np
import pytest

from convert.export.features import channels, with_features
from smear.errors import ConversionError
from smear.inference.tflite import open_runtime
from tests.tiny_bundle import CLASS_BIAS, CLASS_WEIGHTS, mean_model, two_convolutions

RNG = np.random.default_rng(3)
FIRST, SECOND = RNG.normal(size=(6, 3)).astype(np.float32), RNG.normal(size=(5, 6)).astype(np.float32)


def answer(data: bytes, folder: Path, picture: np.ndarray) -> np.ndarray:
    (folder / "m.tflite").write_bytes(data)
    model = open_runtime(folder / "m.tflite")
    found = model.invoke(picture)
    assert found.shape == model.output_shape
    model.close()
    return found


def test_logits_stay_the_same_bit_by_bit_and_features_follow_them(tmp_path: Path) -> None:
    plain = two_convolutions(FIRST, SECOND, 8)
    picture = RNG.integers(0, 256, (1, 8, 8, 3)).astype(np.uint8)
    before, after = answer(plain, tmp_path, picture), answer(with_features(plain), tmp_path, picture)
    assert after.shape == (1, 8, 8, 5 + 3)
    assert (after[..., :5] == before).all()
    assert after[..., 5:] == pytest.approx(picture / 255.0, abs=1e-6)  # what the last two convolutions read


def test_the_number_of_features_is_read_from_the_file() -> None:
    plain = two_convolutions(FIRST, SECOND, 8)
    assert (channels(plain), channels(with_features(plain))) == (0, 3)


@pytest.mark.parametrize("data", [b"not a model", mean_model(CLASS_WEIGHTS, CLASS_BIAS, 8)], ids=["no model", "dense"])
def test_a_model_without_a_feature_map_says_so(data: bytes) -> None:
    with pytest.raises(ConversionError, match="the classifier"):
        with_features(data)
