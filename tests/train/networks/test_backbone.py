"""The backbone's ImageNet weights are read without PyTorch, land in the right layers, and see edges."""

import os
import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("tensorflow", reason="training needs the extra 'train'")

import keras

from smear.errors import TrainingError
from train.networks import backbone
from train.networks.backbone import efficientnet_lite0, freeze, load_imagenet


def network() -> keras.Model:
    inputs = keras.Input((64, 64, 3))
    return keras.Model(inputs, efficientnet_lite0(inputs))


def test_every_layer_of_the_backbone_gets_its_weights_and_the_first_stages_are_frozen() -> None:
    model = network()
    before = {layer.name: [w.copy() for w in layer.get_weights()] for layer in model.layers if layer.weights}
    load_imagenet(model)
    for layer in model.layers:
        if layer.weights:
            assert any((a != b).any() for a, b in zip(before[layer.name], layer.get_weights(), strict=True)), layer.name
    frozen = {layer.name for layer in model.layers if layer.weights and not layer.trainable}
    assert {"lite0_stem", "lite0_0_depthwise", "lite0_2_project"} <= frozen
    assert not any(name.startswith("lite0_3") for name in frozen)


def test_the_statistics_that_imagenet_left_fit_pictures_from_0_to_1() -> None:
    model = network()
    load_imagenet(model)
    stem = keras.Model(model.input, model.get_layer("lite0_stem").output)
    pictures = np.repeat(np.random.default_rng(0).random((8, 4, 4, 3), np.float32), 16, axis=1).repeat(16, axis=2)
    mean, variance = model.get_layer("lite0_stem_norm").get_weights()[2:]
    given = np.asarray(stem(pictures))[:, 4:-4, 4:-4]
    far = np.abs(given.mean(axis=(0, 1, 2)) - mean) / np.sqrt(variance)
    assert np.median(far) < 0.5  # without the fold of -1..1 into 0..1 the median is above 1


def test_features_come_at_four_scales() -> None:
    shapes = [feature.shape[1:] for feature in network().outputs]
    assert shapes == [(32, 32, 16), (16, 16, 24), (8, 8, 40), (4, 4, 80)]


def test_freezing_leaves_what_is_not_the_backbone_alone() -> None:
    inputs = keras.Input((64, 64, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(2, 1, name="head")(efficientnet_lite0(inputs)[-1]))
    freeze(model)
    assert model.get_layer("head").trainable


def test_a_tensor_that_was_transposed_when_it_was_saved_is_read_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    torch.FloatStorage = type("FloatStorage", (), {"__module__": "torch"})

    def rebuild(*parts: object) -> object:
        raise AssertionError("only its name is pickled")

    rebuild.__module__, rebuild.__qualname__, rebuild.__name__ = "torch._utils", *["_rebuild_tensor_v2"] * 2
    utils._rebuild_tensor_v2 = rebuild
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)

    class Storage:
        pass

    class Tensor:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return rebuild, (Storage(), 1, (3, 2), (1, 3), False, {})

    class Pickler(pickle.Pickler):
        def persistent_id(self, given: object) -> object:
            return ("storage", torch.FloatStorage, "7", "cpu", 7, None) if isinstance(given, Storage) else None

    values = np.arange(7, dtype="<f4")
    file = tmp_path / "weights.pth"
    with file.open("wb") as out:
        for part in (1, 2, {}):
            pickle.dump(part, out)
        Pickler(out).dump({"a": Tensor()})
        pickle.dump(["7"], out)
        out.write(np.int64(7).tobytes() + values.tobytes())
    assert (backbone.read_tensors(file)["a"] == values[1:].reshape(2, 3).T).all()


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, ("true",)

    file = tmp_path / "weights.pth"
    file.write_bytes(b"".join(pickle.dumps(part) for part in (1, 2, {}, Harmful())))
    with pytest.raises(TrainingError, match="not a file of tensors"):
        backbone.read_tensors(file)


def test_without_the_package_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backbone, "PACKAGE", "no_such_package_of_weights")
    with pytest.raises(TrainingError, match="--weights none"):
        load_imagenet(network())
