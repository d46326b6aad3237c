"""A network as int8 runs it: batch normalisation folded into the linear layer beside it, activations on their own."""

from typing import TYPE_CHECKING, Any

import numpy as np

from smear.errors import ConversionError

if TYPE_CHECKING:  # importing Keras takes seconds
    import keras


def fold(model: "keras.Model") -> "keras.Model":
    """Return a copy of `model` in which no batch normalisation stands before or behind a linear layer.

    Activations that no converter fuses (softmax) are layers of their own. It answers as `model` does when not
    training; weights are copies.

    Raises:
        ConversionError: a model lies inside it, whose layers cannot be reached, or what is no layer.
    """
    import keras

    graph = keras.Model(model.inputs[0], model.outputs[0])  # a Sequential becomes a graph too
    if any(isinstance(layer, keras.Model) for layer in graph.layers):
        raise ConversionError(f"{model.name}: a model inside a model cannot be fine-tuned for int8; build it flat")
    behind = {linear.name: norm for norm in graph.layers if (linear := _linear_before(norm)) is not None}
    ahead = {dense.name: norm for norm in graph.layers if (dense := _dense_after(norm)) is not None}
    gone = {norm.name for norm in (*behind.values(), *ahead.values())}

    def copied(layer: Any) -> Any:
        config = layer.get_config()
        if layer.name in behind or layer.name in ahead:
            config["use_bias"] = True
        if _has_activation(layer):
            config["activation"] = "linear"
        return type(layer).from_config(config)

    def called(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if layer.name in gone:
            return args[0]
        output = layer(*args, **kwargs)
        original = graph.get_layer(layer.name)
        if _has_activation(original):
            output = keras.layers.Activation(original.activation, name=f"{layer.name}_activation")(output)
        return output

    try:
        folded = keras.models.clone_model(graph, clone_function=copied, call_function=called)
    except ValueError as error:  # an operation that is no layer, or a layer with an activation that is called twice
        first = str(error).strip().splitlines()[0]
        raise ConversionError(f"{model.name}: cannot be folded for int8 ({first}); build it of layers") from error
    for layer in (layer for layer in folded.layers if layer.weights):
        layer.set_weights(_folded_weights(graph.get_layer(layer.name), ahead.get(layer.name), behind.get(layer.name)))
        layer.trainable = True
    return folded


def producer(tensor: Any) -> Any:
    """Return the layer that gave the Keras `tensor`."""
    return tensor._keras_history.operation


def consumers(layer: Any) -> list[Any]:
    """Return the layers that take what `layer` gives."""
    return [node.operation for node in layer._outbound_nodes]


def is_linear(layer: Any) -> bool:
    """Return whether `layer` multiplies by a kernel: a convolution or a dense layer."""
    return getattr(layer, "kernel", None) is not None


def _has_activation(layer: Any) -> bool:
    import keras

    return is_linear(layer) and layer.activation is not keras.activations.linear


def _linear_before(norm: Any) -> Any | None:
    """Return the linear layer whose only consumer is `norm`; None where `norm` is something else or has none."""
    import keras

    if not isinstance(norm, keras.layers.BatchNormalization):
        return None
    before = producer(norm.input)
    return before if is_linear(before) and not _has_activation(before) and _only_consumer(before) is norm else None


def _dense_after(norm: Any) -> Any | None:
    """Return the dense layer that alone takes what `norm` gives, where no linear layer stands right before `norm`."""
    import keras

    if not isinstance(norm, keras.layers.BatchNormalization) or _linear_before(norm) is not None:
        return None
    after = _only_consumer(norm)
    while isinstance(after, keras.layers.Dropout):
        after = _only_consumer(after)
    return after if isinstance(after, keras.layers.Dense) else None


def _only_consumer(layer: Any) -> Any | None:
    after = {consumer.name: consumer for consumer in consumers(layer)}  # one may have been called once more
    return after.popitem()[1] if len(after) == 1 else None


def _gain_and_shift(norm: Any) -> tuple[np.ndarray, np.ndarray]:
    mean, variance = np.asarray(norm.moving_mean), np.asarray(norm.moving_variance)
    gain = (1.0 if norm.gamma is None else np.asarray(norm.gamma)) / np.sqrt(variance + norm.epsilon)
    return gain, (0.0 if norm.beta is None else np.asarray(norm.beta)) - mean * gain


def _folded_weights(layer: Any, ahead: Any | None, behind: Any | None) -> list[np.ndarray]:
    """Return the weights of `layer` with the normalisation `ahead` of it and the one `behind` it worked in."""
    weights = layer.get_weights()
    if ahead is None and behind is None:
        return list(weights)
    kernel, bias = weights[0], weights[1] if layer.use_bias else 0.0
    if ahead is not None:
        gain, shift = _gain_and_shift(ahead)
        kernel, bias = kernel * gain[:, np.newaxis], bias + shift @ kernel
    if behind is not None:
        gain, shift = _gain_and_shift(behind)
        axes = channel_axes(layer)
        kernel = kernel * gain.reshape([size if axis in axes else 1 for axis, size in enumerate(kernel.shape)])
        bias = bias * gain + shift
    return [kernel, bias]


def channel_axes(linear: Any) -> tuple[int, ...]:
    """Return the axes of a layer's kernel that number its outputs."""
    import keras

    if isinstance(linear, keras.layers.DepthwiseConv2D):
        return 2, 3
    if isinstance(linear, keras.layers.Conv2DTranspose):
        return (2,)
    return (len(linear.kernel.shape) - 1,)
