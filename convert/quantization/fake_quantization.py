"""int8 quantization as Keras computes it (fake quantization): the outputs of a network with rounded values.

The activation ranges found here go into the file as they are (`convert.export.tflite.convert_with_ranges`), so that a
network whose biases were corrected or that was fine-tuned runs with the very ranges it was corrected with. A converter
that measures them anew finds others, as the weights have changed: on neutral background every pixel has one value, and
all of them then round the other way.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convert.quantization.batchnorm_folding import channel_axes, is_linear
from convert.quantization.layer_graph import LayerGraph, layer_graph

if TYPE_CHECKING:  # importing Keras takes seconds
    import keras

Ranges = dict[str, tuple[float, float]]
"""The least and the greatest output of each layer, by its name."""

WEIGHT_LEVELS = 127  # each way: the converter takes symmetric int8 weights without -128
_UNCHANGED = {
    "InputLayer", "Dropout", "SpatialDropout2D", "Identity", "Flatten", "Reshape", "MaxPooling2D", "ZeroPadding2D",
}  # fmt: skip
"""Layers whose output has the quantization of their input."""
_SAME_QUANTIZATION = {*_UNCHANGED, "Concatenate", "UpSampling2D"}
"""Layers for which TFLite wants one quantization, inputs and output alike."""
_RELUS = {"relu", "relu6"}
_PROBABILITIES = (0.0, 255.0 / 256.0)  # TFLite fixes the quantization of probabilities
_PICTURE = (0.0, 1.0)  # the 256 values of a pixel are exact in int8


def linear_layers(model: "keras.Model") -> list[Any]:
    """Return the layers of `model` that have a kernel, in the order they run."""
    return [layer for layer in model.layers if is_linear(layer)]


def quantized_kernel(layer: Any) -> Any:
    """Return the kernel of `layer` rounded as the converter will, with a scale for each output channel.

    Its gradient is that of the kernel itself (straight-through estimator).
    """
    import tensorflow as tf

    value, axes = layer.kernel.value, channel_axes(layer)
    others = [axis for axis in range(len(value.shape)) if axis not in axes]
    scale = tf.maximum(tf.reduce_max(tf.abs(value), axis=others, keepdims=True), 1e-9) / WEIGHT_LEVELS
    return value + tf.stop_gradient(tf.round(value / scale) * scale - value)


def quantize_weights(model: "keras.Model") -> None:
    """Round every kernel of `model` in place."""
    for layer in linear_layers(model):
        layer.kernel.assign(quantized_kernel(layer))


def activation_ranges(model: "keras.Model", representative: Sequence[NDArray[np.float32]]) -> Ranges:
    """Return the activation ranges for int8, measured over `representative`, each (1, h, w, 3) in 0..1.

    0 is always within. Layers for which TFLite wants one quantization get one range.
    """
    import keras

    graph = layer_graph(model)
    measured = [layer for layer in model.layers if type(layer).__name__ not in _UNCHANGED]
    measured = [layer for layer in measured if not _has_fused_relu(layer, model, graph)]
    watched = keras.Model(model.inputs, [layer.output for layer in measured])
    lows, highs = np.zeros(len(measured)), np.zeros(len(measured))
    for tensor in representative:
        outputs = watched.predict_on_batch(tensor)
        lows = np.minimum(lows, [float(output.min()) for output in outputs])
        highs = np.maximum(highs, [float(output.max()) for output in outputs])
    ranges = {model.layers[0].name: _PICTURE} | {
        layer.name: _PROBABILITIES
        if _activation(layer) in {"softmax", "sigmoid"}
        else (float(low), max(float(high), 1e-6))
        for layer, low, high in zip(measured, lows, highs, strict=True)
    }
    group = _quantization_groups(model, graph)
    shared: Ranges = {}
    for name, (low, high) in ranges.items():
        lowest, highest = shared.get(group[name], (0.0, 0.0))
        shared[group[name]] = min(low, lowest), max(high, highest)
    return {name: shared[group[name]] for name in ranges}


def _quantization_groups(model: "keras.Model", graph: LayerGraph) -> dict[str, str]:
    """Return for each layer the name of one that stands for all with the same quantization."""
    group = {layer.name: layer.name for layer in model.layers}
    for layer in model.layers:
        if type(layer).__name__ not in _SAME_QUANTIZATION:
            continue
        for source in graph.sources.get(layer.name, ()):  # an input layer has none
            ours, theirs = group[layer.name], group[source]
            group = {name: theirs if of == ours else of for name, of in group.items()}
    return group


def _has_fused_relu(layer: Any, model: "keras.Model", graph: LayerGraph) -> bool:
    """Return whether a ReLU is fused into `layer`: int8 then rounds the output of the ReLU alone."""
    consumers = [model.get_layer(name) for name in graph.consumers(layer.name)]
    return bool(consumers) and all(type(one).__name__ == "ReLU" or _activation(one) in _RELUS for one in consumers)


def _activation(layer: Any) -> str:
    return layer.activation.__name__ if type(layer).__name__ == "Activation" else ""


def fake_quantized(model: "keras.Model", ranges: Ranges, linear_outputs: dict[str, Any] | None = None) -> "keras.Model":
    """Return a model of the same layers, and so the same weights, that rounds each output to its range.

    Its input is taken as rounded already. `linear_outputs` receives the output of each linear layer before rounding.
    """
    import keras

    def called(layer: Any, *args: Any, **kwargs: Any) -> Any:
        output = layer(*args, **kwargs)
        if linear_outputs is not None and is_linear(layer):
            linear_outputs[layer.name] = output
        return _round_to(ranges[layer.name])(output) if layer.name in ranges else output

    return keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=called)


def with_quantized_input(model: "keras.Model", ranges: Ranges) -> "keras.Model":
    """Return `fake_quantized` with its input rounded too: all that a converter needs to use these ranges."""
    import keras

    inputs = keras.Input(model.input_shape[1:])
    return keras.Model(inputs, fake_quantized(model, ranges)(_round_to(ranges[model.layers[0].name])(inputs)))


def _round_to(limits: tuple[float, float]) -> Any:
    import keras
    import tensorflow as tf

    return keras.layers.Lambda(lambda x: tf.quantization.fake_quant_with_min_max_args(x, *limits))
