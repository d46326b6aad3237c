"""Folds batch normalisation into the linear layer beside it, as an int8 network runs, and makes activations layers."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convert.quantization.layer_graph import LayerGraph, layer_graph
from smear.errors import ConversionError, first_line

if TYPE_CHECKING:  # importing Keras takes seconds
    import keras


def fold(model: "keras.Model") -> "keras.Model":
    """Return a copy of `model` in which no batch normalisation precedes or follows a linear layer.

    Activations that no converter fuses (softmax) are layers of their own. Outputs are those of `model` at inference;
    weights are copies.

    Raises:
        ConversionError: `model` holds another model, whose layers cannot be reached, or an operation that is no layer.
    """
    import keras

    functional = keras.Model(model.inputs[0], model.outputs[0])  # a Sequential becomes a graph too
    if any(isinstance(layer, keras.Model) for layer in functional.layers):
        raise ConversionError(f"{model.name}: a model inside a model cannot be fine-tuned for int8; build it flat")
    graph = layer_graph(functional)
    following, preceding = _foldable(functional, graph)
    folded_away = {norm.name for norm in (*following.values(), *preceding.values())}

    def copied(layer: Any) -> Any:
        config = layer.get_config()
        if layer.name in following or layer.name in preceding:
            config["use_bias"] = True
        if _has_activation(layer):
            config["activation"] = "linear"
        return type(layer).from_config(config)

    def called(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if layer.name in folded_away:
            return args[0]
        output = layer(*args, **kwargs)
        original = functional.get_layer(layer.name)
        if _has_activation(original):
            output = keras.layers.Activation(original.activation, name=f"{layer.name}_activation")(output)
        return output

    try:
        folded = keras.models.clone_model(functional, clone_function=copied, call_function=called)
    except ValueError as error:  # an operation that is no layer, or a layer with an activation that is called twice
        reason = first_line(error)
        raise ConversionError(
            f"{model.name}: cannot be folded for int8 ({reason}); build it from layers alone"
        ) from error
    for layer in (layer for layer in folded.layers if layer.weights):
        name = layer.name
        layer.set_weights(_folded_weights(functional.get_layer(name), preceding.get(name), following.get(name)))
        layer.trainable = True
    return folded


def is_linear(layer: Any) -> bool:
    """Return whether `layer` multiplies by a kernel: a convolution or a dense layer."""
    return getattr(layer, "kernel", None) is not None


def channel_axes(linear: Any) -> tuple[int, ...]:
    """Return the axes of a linear layer's kernel that number its outputs."""
    import keras

    if isinstance(linear, keras.layers.DepthwiseConv2D):
        return 2, 3
    if isinstance(linear, keras.layers.Conv2DTranspose):
        return (2,)
    return (len(linear.kernel.shape) - 1,)


def _has_activation(layer: Any) -> bool:
    import keras

    return is_linear(layer) and layer.activation is not keras.activations.linear


def _foldable(model: "keras.Model", graph: LayerGraph) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return by linear layer the batch normalisation that follows it, and the one that precedes it."""
    import keras

    following: dict[str, Any] = {}
    preceding: dict[str, Any] = {}
    for norm in model.layers:
        if not isinstance(norm, keras.layers.BatchNormalization):
            continue
        linear = _linear_before(norm, model, graph)
        if linear is not None:
            following[linear.name] = norm
        elif (dense := _dense_after(norm, model, graph)) is not None:
            preceding[dense.name] = norm
    return following, preceding


def _linear_before(norm: Any, model: "keras.Model", graph: LayerGraph) -> Any | None:
    """Return the linear layer before `norm` that has no activation and no other consumer, else None."""
    before = model.get_layer(graph.sources[norm.name][0])
    alone = _only_consumer(before.name, graph) == norm.name
    return before if alone and is_linear(before) and not _has_activation(before) else None


def _dense_after(norm: Any, model: "keras.Model", graph: LayerGraph) -> Any | None:
    """Return the dense layer that is the only consumer of `norm`, past dropout layers, else None."""
    import keras

    name = _only_consumer(norm.name, graph)
    while name is not None and isinstance(model.get_layer(name), keras.layers.Dropout):
        name = _only_consumer(name, graph)
    after = None if name is None else model.get_layer(name)
    return after if isinstance(after, keras.layers.Dense) else None


def _only_consumer(name: str, graph: LayerGraph) -> str | None:
    consumers = graph.consumers(name)
    return consumers[0] if len(consumers) == 1 else None


def _gain_and_shift(norm: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    mean, variance = np.asarray(norm.moving_mean), np.asarray(norm.moving_variance)
    gain = (1.0 if norm.gamma is None else np.asarray(norm.gamma)) / np.sqrt(variance + norm.epsilon)
    return gain, (0.0 if norm.beta is None else np.asarray(norm.beta)) - mean * gain


def _folded_weights(layer: Any, preceding: Any | None, following: Any | None) -> list[NDArray[np.float32]]:
    """Return the weights of `layer` with the batch normalisation before and after it folded in."""
    weights = layer.get_weights()
    if preceding is None and following is None:
        return list(weights)
    kernel, bias = weights[0], weights[1] if layer.use_bias else 0.0
    if preceding is not None:
        gain, shift = _gain_and_shift(preceding)
        kernel, bias = kernel * gain[:, np.newaxis], bias + shift @ kernel
    if following is not None:
        gain, shift = _gain_and_shift(following)
        axes = channel_axes(layer)
        kernel = kernel * gain.reshape([size if axis in axes else 1 for axis, size in enumerate(kernel.shape)])
        bias = bias * gain + shift
    return [kernel, bias]
