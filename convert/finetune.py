"""Quantization-aware fine-tuning: a network learns to answer on int8's grid what it answered in float.

Its own float answers are the teacher (distillation), so no label is needed. Weights are rounded in every pass as the
converter will round them, activations to the ranges that calibration will find; gradients pass through the rounding
(Jacob et al. 2018, "Quantization and training of neural networks for efficient integer-arithmetic-only inference").
What comes out is an ordinary float model: plain post-training quantization of it then loses little.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from convert.fold import channel_axes, consumers, fold, producer

if TYPE_CHECKING:  # importing Keras takes seconds
    import keras

STEPS = 800
RATE = 1e-4  # of Adam, falling to 0 by a cosine: a weight moves by a few steps of its grid
WARM_UP = 0.1  # share of the steps in which the rate rises: Adam's first steps are as long as its rate, all one way
BATCH_PIXELS = 4 * 224 * 224  # in one batch: four fields
MOST_IN_BATCH = 64
LEVELS_OF_WEIGHTS = 127  # each way: the converter takes symmetric int8 weights without -128
LEAST = 1.0 / 256.0  # probability that int8 can still tell from 0
_PASSING = {
    "InputLayer", "Dropout", "SpatialDropout2D", "Identity", "Flatten", "Reshape", "MaxPooling2D", "ZeroPadding2D",
}  # fmt: skip
"""Layers whose output lies on the grid of their input."""


def finetune(
    model: "keras.Model",
    representative: Sequence[np.ndarray],
    pictures: np.ndarray,
    seed: int,
    steps: int = STEPS,
    rate: float = RATE,
    on_step: Callable[[int, float], None] = lambda step, loss: None,
) -> "keras.Model":
    """Return a copy of `model`, batch normalisation folded, that loses little when it is converted to int8.

    Args:
        model: gives logits or, from a softmax, probabilities.
        representative: float32 (1, h, w, 3) inputs that calibration will see; they set the ranges of activations.
        pictures: uint8 (n, h, w, 3), what it is fine-tuned on; of the training split.
        seed: of the order of `pictures`.
        steps: batches shown.
        rate: of Adam, at the start.
        on_step: told the number of each step and its loss.
    """
    import keras
    import tensorflow as tf

    student = fold(model)
    rounded = _rounded_copy(student, _ranges(student, representative))
    rising = max(1, round(WARM_UP * steps))
    schedule = keras.optimizers.schedules.CosineDecay(0.0, steps, warmup_target=rate, warmup_steps=rising)
    optimizer = keras.optimizers.Adam(schedule)
    kernels = {id(layer.kernel): channel_axes(layer) for layer in student.layers if _is_linear(layer)}
    variables, fixed = rounded.trainable_variables, rounded.non_trainable_variables  # the student's own
    softmax = _ends_in_softmax(model)

    def step(batch: Any) -> Any:
        wanted = model(batch, training=False)
        with tf.GradientTape() as tape:
            values = [_on_grid(v, kernels[id(v)]) if id(v) in kernels else v.value for v in variables]
            given, _ = rounded.stateless_call(values, fixed, batch, training=False)
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
    return student


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


def _is_linear(layer: Any) -> bool:
    return getattr(layer, "kernel", None) is not None


def _on_grid(kernel: Any, axes: tuple[int, ...]) -> Any:
    """Round `kernel` as the converter will, a scale for each output; the gradient passes as if it were not rounded."""
    import tensorflow as tf

    value = kernel.value
    others = [axis for axis in range(len(value.shape)) if axis not in axes]
    scale = tf.maximum(tf.reduce_max(tf.abs(value), axis=others, keepdims=True), 1e-9) / LEVELS_OF_WEIGHTS
    return value + tf.stop_gradient(tf.round(value / scale) * scale - value)


def _points(model: "keras.Model") -> list[Any]:
    """Return the layers of `model` whose output int8 rounds anew; a ReLU is fused into what comes before it."""
    import keras

    relus = (keras.layers.ReLU, keras.layers.Activation)

    def fused(layer: Any) -> bool:
        after = consumers(layer)
        return bool(after) and all(isinstance(one, relus) for one in after)

    return [layer for layer in model.layers if type(layer).__name__ not in _PASSING and not fused(layer)]


def _ranges(model: "keras.Model", representative: Sequence[np.ndarray]) -> dict[str, tuple[float, float]]:
    """Return the least and most of each point over `representative`; 0 is always within.

    The input needs none: 256 values of a pixel lie on the grid of int8 as they are.
    """
    import keras

    points = _points(model)
    watched = keras.Model(model.inputs, [layer.output for layer in points])
    lows, highs = np.zeros(len(points)), np.zeros(len(points))
    for tensor in representative:
        outputs = watched.predict_on_batch(tensor)
        lows = np.minimum(lows, [float(output.min()) for output in outputs])
        highs = np.maximum(highs, [float(output.max()) for output in outputs])
    return {
        layer.name: (float(low), float(max(high, low + 1e-6)))
        for layer, low, high in zip(points, lows, highs, strict=True)
    }


def _rounded_copy(model: "keras.Model", ranges: dict[str, tuple[float, float]]) -> "keras.Model":
    """Return a model of the same layers, and so the same weights, that rounds each point to its range."""
    import keras
    import tensorflow as tf

    def rounding(name: str) -> Any:
        low, high = ranges[name]
        return keras.layers.Lambda(lambda x: tf.quantization.fake_quant_with_min_max_args(x, low, high))

    def called(layer: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = layer(*args, **kwargs)
        return rounding(layer.name)(outputs) if layer.name in ranges else outputs

    return keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=called)
