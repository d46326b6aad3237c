"""Recovers what a network loses to int8: bias correction, then fine-tuning with fake quantization.

Biases first, layer by layer: each is reduced by what rounding adds to the mean of its channel (Nagel et al. 2019,
"Data-free quantization through weight equalization and bias correction"), measured with rounded activations. On neutral
background, where most pixels have one value, that is nearly all of the loss. Then the network learns from its own float
outputs (distillation), so no label is needed; gradients pass through the rounding (Jacob et al. 2018, "Quantization
and training of neural networks for efficient integer-arithmetic-only inference").
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convert.quantization.batchnorm_folding import fold
from convert.quantization.fake_quantization import (
    Ranges,
    activation_ranges,
    fake_quantized,
    linear_layers,
    quantize_weights,
    quantized_kernel,
)
from convert.quantization.layer_graph import layer_graph

if TYPE_CHECKING:  # importing Keras takes seconds
    import keras

STEPS = 800
RATE = 1e-4  # of Adam, falling to 0 by a cosine: a weight moves by a few quantization steps
WARM_UP = 0.1  # share of the steps in which the rate rises: Adam's first steps are as large as its rate
BATCH_PIXELS = 4 * 224 * 224  # in one batch: four fields
MAX_BATCH = 64
CORRECTION_INPUTS = 64  # inputs over which the mean of a channel is taken
MIN_PROBABILITY = 1.0 / 256.0  # the smallest that int8 can represent


def finetune(
    model: "keras.Model",
    representative: Sequence[NDArray[np.float32]],
    pictures: NDArray[np.uint8],
    seed: int,
    steps: int = STEPS,
    rate: float = RATE,
    on_step: Callable[[int, float], None] = lambda step, loss: None,
) -> tuple["keras.Model", Ranges]:
    """Return a folded copy of `model` with weights rounded for int8, and the ranges of its activations.

    Converted with those ranges it loses little.

    Args:
        model: its output is logits or, from a softmax, probabilities.
        representative: inputs (1, h, w, 3) in 0..1 that set the ranges of activations.
        pictures: (n, h, w, 3) of the training split, to fine-tune on.
        seed: of the order of `pictures`.
        steps: batches; with 0 only the biases are corrected.
        rate: of Adam, at its height.
        on_step: called with the number of each step and its loss.
    """
    original = fold(model)
    ranges = activation_ranges(original, representative)
    student = with_corrected_biases(model, representative, ranges)
    if steps:
        for layer, before in zip(linear_layers(student), linear_layers(original), strict=True):
            layer.kernel.assign(before.kernel)  # fine-tuning starts from the weights before rounding
        distill(student, ranges, model, pictures, seed, steps, rate, on_step)
        quantize_weights(student)
    return student, ranges


def with_corrected_biases(
    model: "keras.Model", representative: Sequence[NDArray[np.float32]], ranges: Ranges | None = None
) -> "keras.Model":
    """Return a folded copy of `model` with weights rounded for int8 and the channel means of `model`.

    `representative` inputs are (1, h, w, 3) in 0..1. Without `ranges` activations are not rounded.
    """
    corrected = fold(model)
    inputs = np.concatenate(representative[:CORRECTION_INPUTS])
    wanted = _channel_means(corrected, {}, linear_layers(corrected), inputs)
    quantize_weights(corrected)
    for layer in linear_layers(corrected):  # in the order they run: each correction moves what later layers are given
        if layer.use_bias:
            means = _channel_means(corrected, ranges or {}, [layer], inputs)
            layer.bias.assign_sub(means[layer.name] - wanted[layer.name])
    return corrected


def _channel_means(
    model: "keras.Model", ranges: Ranges, layers: Sequence[Any], inputs: NDArray[np.float32]
) -> dict[str, NDArray[np.float32]]:
    """Return the mean of each output channel of the linear `layers` over `inputs`, with rounding before them."""
    import keras

    outputs: dict[str, Any] = {}
    copy = fake_quantized(model, ranges, outputs)
    axes = {layer.name: range(1, len(outputs[layer.name].shape) - 1) for layer in layers}
    watched = keras.Model(copy.inputs, {name: keras.ops.mean(outputs[name], axis=axes[name]) for name in axes})
    return {name: mean.mean(axis=0) for name, mean in watched.predict(inputs, batch_size=16, verbose=0).items()}


def distill(
    student: "keras.Model",
    ranges: Ranges,
    teacher: "keras.Model",
    pictures: NDArray[np.uint8],
    seed: int,
    steps: int,
    rate: float,
    on_step: Callable[[int, float], None],
) -> None:
    """Fine-tune `student`, with fake quantization to `ranges`, to the outputs of `teacher` for `pictures`.

    Arguments are those of `finetune`; the weights of `student` are changed in place, and not rounded.
    """
    import keras
    import tensorflow as tf

    quantized = fake_quantized(student, ranges)
    warmup_steps = max(1, round(WARM_UP * steps))
    schedule = keras.optimizers.schedules.CosineDecay(0.0, steps, warmup_target=rate, warmup_steps=warmup_steps)
    optimizer = keras.optimizers.Adam(schedule)
    linear = {id(layer.kernel): layer for layer in linear_layers(student)}
    variables, fixed = quantized.trainable_variables, quantized.non_trainable_variables  # the student's own
    softmax = _ends_in_softmax(teacher)

    def step(batch: Any) -> Any:
        wanted = teacher(batch, training=False)
        with tf.GradientTape() as tape:
            values = [quantized_kernel(linear[id(v)]) if id(v) in linear else v.value for v in variables]
            outputs, _ = quantized.stateless_call(values, fixed, batch, training=False)
            loss = _distillation_loss(wanted, outputs, softmax)
        optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)
        return loss

    optimizer.build(variables)
    compiled = tf.function(step)
    count = min(MAX_BATCH, len(pictures), max(1, BATCH_PIXELS // int(np.prod(pictures.shape[1:3]))))
    rng = np.random.default_rng(seed)
    for number in range(steps):
        chosen = pictures[rng.choice(len(pictures), count, replace=False)]
        loss = compiled(tf.constant(_augmented(chosen, rng).astype(np.float32) / 255.0))
        on_step(number, float(loss))


def _augmented(pictures: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Rotate a batch by a random multiple of 90 degrees and flip it at random: a smear has no orientation."""
    rotated = np.rot90(pictures, int(rng.integers(4)), axes=(1, 2))
    return rotated[:, :, ::-1] if rng.random() < 0.5 else rotated


def _distillation_loss(wanted: Any, outputs: Any, softmax: bool) -> Any:
    """Return the mean squared difference of log-probabilities.

    The mean of a map counts as much as all its places: the label of a field comes from it, and an error that all
    places have in common stays in it.
    """
    import tensorflow as tf

    loss = tf.reduce_mean(tf.square(_log_probabilities(outputs, softmax) - _log_probabilities(wanted, softmax)))
    if len(outputs.shape) == 4:
        means = [_log_probabilities(tf.reduce_mean(each, axis=(1, 2)), softmax) for each in (outputs, wanted)]
        loss += tf.reduce_mean(tf.square(means[0] - means[1]))
    return loss


def _log_probabilities(outputs: Any, softmax: bool) -> Any:
    import tensorflow as tf

    return tf.math.log(tf.maximum(outputs, MIN_PROBABILITY)) if softmax else tf.nn.log_softmax(outputs)


def _ends_in_softmax(model: "keras.Model") -> bool:
    import keras

    return getattr(model.get_layer(layer_graph(model).output), "activation", None) is keras.activations.softmax
