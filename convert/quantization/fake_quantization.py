"""int8's grid as Keras computes it: what a network answers once its weights and activations are rounded.

The ranges found here go into the file as they are (`convert.export.tflite.convert_rounded`), so a network that was
corrected or fine-tuned on this grid runs on the very same one. A converter that measures them anew finds others, as
the weights have changed: on neutral ground every place holds one value, and all of them then round the other way.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from convert.quantization.batchnorm_folding import channel_axes, consumers, is_linear, producer

if TYPE_CHECKING:  # importing Keras takes seconds
    import keras

Ranges = dict[str, tuple[float, float]]
"""The least and most of what each layer gives, by its name."""

LEVELS_OF_WEIGHTS = 127  # each way: the converter takes symmetric int8 weights without -128
_PASSING = {
    "InputLayer", "Dropout", "SpatialDropout2D", "Identity", "Flatten", "Reshape", "MaxPooling2D", "ZeroPadding2D",
}  # fmt: skip
"""Layers whose output lies on the grid of their input."""
_OF_ONE_GRID = {*_PASSING, "Concatenate", "UpSampling2D"}
"""Layers that TFLite runs on one grid, inputs and output alike."""
_RELUS = {"relu", "relu6"}
_SHARES = (0.0, 255.0 / 256.0)  # TFLite fixes the grid of probabilities
_PICTURE = (0.0, 1.0)  # 256 values of a pixel lie on the grid of int8 as they are


def linear_layers(model: "keras.Model") -> list[Any]:
    """Return the layers of `model` that have a kernel, in the order they run."""
    return [layer for layer in model.layers if is_linear(layer)]


def on_grid(layer: Any) -> Any:
    """Return the kernel of `layer` rounded as the converter will, a scale for each output.

    The gradient passes as if it were not rounded.
    """
    import tensorflow as tf

    value, axes = layer.kernel.value, channel_axes(layer)
    others = [axis for axis in range(len(value.shape)) if axis not in axes]
    scale = tf.maximum(tf.reduce_max(tf.abs(value), axis=others, keepdims=True), 1e-9) / LEVELS_OF_WEIGHTS
    return value + tf.stop_gradient(tf.round(value / scale) * scale - value)


def round_weights(model: "keras.Model") -> None:
    """Put every kernel of `model` on its grid, for good."""
    for layer in linear_layers(model):
        layer.kernel.assign(on_grid(layer))


def ranges_of(model: "keras.Model", representative: Sequence[np.ndarray]) -> Ranges:
    """Return the ranges that int8 needs, measured over `representative`, float32 (1, h, w, 3) in 0..1.

    0 is always within. Layers that TFLite runs on one grid get one range.
    """
    import keras

    points = [layer for layer in model.layers if type(layer).__name__ not in _PASSING and not _fused(layer)]
    watched = keras.Model(model.inputs, [layer.output for layer in points])
    lows, highs = np.zeros(len(points)), np.zeros(len(points))
    for tensor in representative:
        outputs = watched.predict_on_batch(tensor)
        lows = np.minimum(lows, [float(output.min()) for output in outputs])
        highs = np.maximum(highs, [float(output.max()) for output in outputs])
    ranges = {model.layers[0].name: _PICTURE} | {
        layer.name: _SHARES if _activation(layer) in {"softmax", "sigmoid"} else (float(low), max(float(high), 1e-6))
        for layer, low, high in zip(points, lows, highs, strict=True)
    }
    grid = _grids(model)
    shared: Ranges = {}
    for name, (low, high) in ranges.items():
        lowest, highest = shared.get(grid[name], (0.0, 0.0))
        shared[grid[name]] = min(low, lowest), max(high, highest)
    return {name: shared[grid[name]] for name in ranges}


def _grids(model: "keras.Model") -> dict[str, str]:
    """Return for each layer the name of one that stands for all that share its grid."""
    grid = {layer.name: layer.name for layer in model.layers}
    for layer in model.layers:
        if type(layer).__name__ not in _OF_ONE_GRID:
            continue
        for tensor in layer._inbound_nodes[0].input_tensors:  # an input layer has none
            ours, theirs = grid[layer.name], grid[producer(tensor).name]
            grid = {name: theirs if of == ours else of for name, of in grid.items()}
    return grid


def _fused(layer: Any) -> bool:
    """Return whether a ReLU is fused into `layer`: what int8 rounds is what comes out of that."""
    after = consumers(layer)
    return bool(after) and all(type(one).__name__ == "ReLU" or _activation(one) in _RELUS for one in after)


def _activation(layer: Any) -> str:
    return layer.activation.__name__ if type(layer).__name__ == "Activation" else ""


def rounded(model: "keras.Model", ranges: Ranges, kept: dict[str, Any] | None = None) -> "keras.Model":
    """Return a model of the same layers, and so the same weights, that rounds what each gives to its range.

    Its input is taken for rounded already. `kept` receives what each linear layer gives before it is rounded.
    """
    import keras

    def called(layer: Any, *args: Any, **kwargs: Any) -> Any:
        output = layer(*args, **kwargs)
        if kept is not None and is_linear(layer):
            kept[layer.name] = output
        return _round_to(ranges[layer.name])(output) if layer.name in ranges else output

    return keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=called)


def with_rounded_input(model: "keras.Model", ranges: Ranges) -> "keras.Model":
    """Return `rounded` with its input rounded too: all that a converter must know to keep to this grid."""
    import keras

    inputs = keras.Input(model.input_shape[1:])
    return keras.Model(inputs, rounded(model, ranges)(_round_to(ranges[model.layers[0].name])(inputs)))


def _round_to(limits: tuple[float, float]) -> Any:
    import keras
    import tensorflow as tf

    return keras.layers.Lambda(lambda x: tf.quantization.fake_quant_with_min_max_args(x, *limits))
