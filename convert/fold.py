"""Batch normalisation folded into the layer before it, as converters do, so that what is trained is what runs."""

from typing import TYPE_CHECKING, Any

import numpy as np

from smear.errors import ConversionError

if TYPE_CHECKING:  # importing Keras takes seconds
    import keras


def fold(model: "keras.Model") -> "keras.Model":
    """Return a copy of `model` in which no batch normalisation follows a convolution or dense layer.

    It answers as `model` does when not training; weights are copies.

    Raises:
        ConversionError: a model lies inside it, whose layers cannot be reached.
    """
    import keras

    graph = keras.Model(model.inputs[0], model.outputs[0])  # a Sequential becomes a graph too
    if any(isinstance(layer, keras.Model) for layer in graph.layers):
        raise ConversionError(f"{model.name}: a model inside a model cannot be fine-tuned for int8; build it flat")
    norms = {linear.name: norm for norm in graph.layers if (linear := _foldable(norm)) is not None}
    gone = {norm.name for norm in norms.values()}

    def copied(layer: Any) -> Any:
        config = layer.get_config()
        if layer.name in norms:
            config["use_bias"] = True
        return type(layer).from_config(config)

    def called(layer: Any, *args: Any, **kwargs: Any) -> Any:
        return args[0] if layer.name in gone else layer(*args, **kwargs)

    folded = keras.models.clone_model(graph, clone_function=copied, call_function=called)
    for layer in folded.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        original = graph.get_layer(layer.name)
        norm = norms.get(layer.name)
        layer.set_weights(original.get_weights() if norm is None else _folded_weights(original, norm))
        layer.trainable = True
    return folded


def producer(tensor: Any) -> Any:
    """Return the layer that gave the Keras `tensor`."""
    return tensor._keras_history.operation


def consumers(layer: Any) -> list[Any]:
    """Return the layers that take what `layer` gives."""
    return [node.operation for node in layer._outbound_nodes]


def _foldable(norm: Any) -> Any | None:
    """Return the linear layer whose only consumer is `norm`; None where `norm` is something else or has none."""
    import keras

    if not isinstance(norm, keras.layers.BatchNormalization):
        return None
    before = producer(norm.input)
    linear = getattr(before, "kernel", None) is not None and before.activation is keras.activations.linear
    alone = {consumer.name for consumer in consumers(before)} == {norm.name}  # it may have been called once more
    return before if linear and alone else None


def _folded_weights(linear: Any, norm: Any) -> list[np.ndarray]:
    weights = linear.get_weights()
    kernel, bias = weights[0], weights[1] if linear.use_bias else 0.0
    mean, variance = np.asarray(norm.moving_mean), np.asarray(norm.moving_variance)
    gain = (1.0 if norm.gamma is None else np.asarray(norm.gamma)) / np.sqrt(variance + norm.epsilon)
    shift = 0.0 if norm.beta is None else np.asarray(norm.beta)
    axes = channel_axes(linear)
    shape = [size if axis in axes else 1 for axis, size in enumerate(kernel.shape)]
    return [kernel * gain.reshape(shape), (bias - mean) * gain + shift]


def channel_axes(linear: Any) -> tuple[int, ...]:
    """Return the axes of a layer's kernel that number its outputs."""
    import keras

    if isinstance(linear, keras.layers.DepthwiseConv2D):
        return 2, 3
    if isinstance(linear, keras.layers.Conv2DTranspose):
        return (2,)
    return (len(linear.kernel.shape) - 1,)
