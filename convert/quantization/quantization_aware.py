"""What a network loses to int8 is given back: biases corrected, then weights fine-tuned on int8's own grid.

Biases first, layer by layer: each takes back what rounding adds to the mean of every channel (Nagel et al. 2019,
"Data-free quantization through weight equalization and bias correction"), measured on the grid itself. On neutral
ground, where most places hold one value, that is nearly all there is to lose. Then the network's own float answers
teach it (distillation), so no label is needed; gradients pass through the rounding (Jacob et al. 2018, "Quantization
and training of neural networks for efficient integer-arithmetic-only inference").
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from convert.quantization.batchnorm_folding import fold, producer
from convert.quantization.fake_quantization import Ranges, linear_layers, on_grid, ranges_of, round_weights, rounded

if TYPE_CHECKING:  # importing Keras takes seconds
    import keras

STEPS = 800
RATE = 1e-4  # of Adam, falling to 0 by a cosine: a weight moves by a few steps of its grid
WARM_UP = 0.1  # share of the steps in which the rate rises: Adam's first steps are as long as its rate, all one way
BATCH_PIXELS = 4 * 224 * 224  # in one batch: four fields
MOST_IN_BATCH = 64
MOST_TO_CORRECT = 64  # pictures over which the mean of a channel is taken
LEAST = 1.0 / 256.0  # probability that int8 can still tell from 0


def finetune(
    model: "keras.Model",
    representative: Sequence[np.ndarray],
    pictures: np.ndarray,
    seed: int,
    steps: int = STEPS,
    rate: float = RATE,
    on_step: Callable[[int, float], None] = lambda step, loss: None,
) -> tuple["keras.Model", Ranges]:
    """Return a copy of `model`, folded and with its weights on int8's grid, and the ranges of its activations.

    Converted with those ranges it loses little.

    Args:
        model: gives logits or, from a softmax, probabilities.
        representative: float32 (1, h, w, 3) inputs in 0..1 that set the ranges of activations.
        pictures: uint8 (n, h, w, 3), what it is fine-tuned on; of the training split.
        seed: of the order of `pictures`.
        steps: batches shown; with 0 the biases are corrected and no more.
        rate: of Adam, at its height.
        on_step: told the number of each step and its loss.
    """
    original = fold(model)
    ranges = ranges_of(original, representative)
    student = with_corrected_biases(model, representative, ranges)
    if steps:
        for layer, before in zip(linear_layers(student), linear_layers(original), strict=True):
            layer.kernel.assign(before.kernel)  # what rounding took away is what there is to move
        _teach(student, ranges, model, pictures, seed, steps, rate, on_step)
        round_weights(student)
    return student, ranges


def with_corrected_biases(
    model: "keras.Model", representative: Sequence[np.ndarray], ranges: Ranges | None = None
) -> "keras.Model":
    """Return a copy of `model`, folded and with its weights on int8's grid, whose channels have the means they had.

    `representative` is float32 (1, h, w, 3) in 0..1. Without `ranges` activations are not rounded.
    """
    corrected = fold(model)
    shown = np.concatenate(representative[:MOST_TO_CORRECT])
    wanted = _means(corrected, {}, linear_layers(corrected), shown)
    round_weights(corrected)
    _correct(corrected, ranges or {}, wanted, shown)
    return corrected


def _correct(model: "keras.Model", ranges: Ranges, wanted: dict[str, np.ndarray], pictures: np.ndarray) -> None:
    """Shift the biases of `model`, in the order it runs, until each linear layer has its `wanted` means on `ranges`."""
    for layer in linear_layers(model):
        if layer.use_bias:
            layer.bias.assign_sub(_means(model, ranges, [layer], pictures)[layer.name] - wanted[layer.name])


def _means(model: "keras.Model", ranges: Ranges, of: Sequence[Any], pictures: np.ndarray) -> dict[str, np.ndarray]:
    """Return the mean of each channel that the linear layers `of` give for `pictures`, rounding before them."""
    import keras

    kept: dict[str, Any] = {}
    copy = rounded(model, ranges, kept)
    places = {layer.name: range(1, len(kept[layer.name].shape) - 1) for layer in of}
    watched = keras.Model(copy.inputs, {name: keras.ops.mean(kept[name], axis=axes) for name, axes in places.items()})
    return {name: mean.mean(axis=0) for name, mean in watched.predict(pictures, batch_size=16, verbose=0).items()}


def _teach(
    student: "keras.Model",
    ranges: Ranges,
    teacher: "keras.Model",
    pictures: np.ndarray,
    seed: int,
    steps: int,
    rate: float,
    on_step: Callable[[int, float], None],
) -> None:
    import keras
    import tensorflow as tf

    on_ranges = rounded(student, ranges)
    rising = max(1, round(WARM_UP * steps))
    schedule = keras.optimizers.schedules.CosineDecay(0.0, steps, warmup_target=rate, warmup_steps=rising)
    optimizer = keras.optimizers.Adam(schedule)
    linear = {id(layer.kernel): layer for layer in linear_layers(student)}
    variables, fixed = on_ranges.trainable_variables, on_ranges.non_trainable_variables  # the student's own
    softmax = _ends_in_softmax(teacher)

    def step(batch: Any) -> Any:
        wanted = teacher(batch, training=False)
        with tf.GradientTape() as tape:
            values = [on_grid(linear[id(v)]) if id(v) in linear else v.value for v in variables]
            given, _ = on_ranges.stateless_call(values, fixed, batch, training=False)
            loss = _apart(wanted, given, softmax)
        optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)
        return loss

    optimizer.build(variables)
    compiled = tf.function(step)
    count = min(MOST_IN_BATCH, len(pictures), max(1, BATCH_PIXELS // int(np.prod(pictures.shape[1:3]))))
    rng = np.random.default_rng(seed)
    for number in range(steps):
        chosen = pictures[rng.choice(len(pictures), count, replace=False)]
        loss = compiled(tf.constant(_turned(chosen, rng).astype(np.float32) / 255.0))
        on_step(number, float(loss))


def _turned(pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Flip and turn a batch at random: a smear has no up."""
    turned = np.rot90(pictures, int(rng.integers(4)), axes=(1, 2))
    return turned[:, :, ::-1] if rng.random() < 0.5 else turned


def _apart(wanted: Any, given: Any, softmax: bool) -> Any:
    """Return how far two outputs are apart: mean squared difference of log-probabilities.

    Of a map its mean counts as much as its places: that is what a field's verdict is made of, and an error that
    every place has in common stays in it.
    """
    import tensorflow as tf

    apart = tf.reduce_mean(tf.square(_opinions(given, softmax) - _opinions(wanted, softmax)))
    if len(given.shape) == 4:
        means = [_opinions(tf.reduce_mean(outputs, axis=(1, 2)), softmax) for outputs in (given, wanted)]
        apart += tf.reduce_mean(tf.square(means[0] - means[1]))
    return apart


def _opinions(outputs: Any, softmax: bool) -> Any:
    import tensorflow as tf

    return tf.math.log(tf.maximum(outputs, LEAST)) if softmax else tf.nn.log_softmax(outputs)


def _ends_in_softmax(model: "keras.Model") -> bool:
    import keras

    return getattr(producer(model.outputs[0]), "activation", None) is keras.activations.softmax
