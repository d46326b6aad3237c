"""A network fine-tuned for int8 answers on int8's grid what it answered in float."""

import numpy as np
import pytest

from convert.finetune import finetune
from convert.fold import fold
from convert.tflite import convert_levels
from device.runtimes import open_runtime
from smear.errors import ConversionError

SIZE = 16


def network(softmax=False, sequential=False):
    """Every kind of layer that our networks and the paper's are made of, with weights and statistics at random."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(3)
    if sequential:
        model = keras.Sequential(
            [
                keras.Input((SIZE, SIZE, 3)),
                layers.Conv2D(8, 3, padding="same", activation="relu"),
                layers.MaxPooling2D(4),
                layers.Dropout(0.5),
                layers.Flatten(),
                layers.Dense(16, activation="relu"),
                layers.BatchNormalization(),  # behind its activation: it cannot be folded
                layers.Dense(4, activation="softmax"),
            ]
        )
    else:
        inputs = keras.Input((SIZE, SIZE, 3))
        x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(inputs)
        x = skip = layers.ReLU(6.0)(layers.BatchNormalization()(x))
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
        x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
        x = layers.Add()([skip, layers.BatchNormalization()(layers.Conv2D(8, 1)(x))])
        x = layers.UpSampling2D(2, interpolation="bilinear")(x)
        x = layers.Concatenate()([x, layers.Conv2DTranspose(4, 2, strides=2)(skip)])
        x = layers.GlobalAveragePooling2D()(layers.ReLU(6.0)(x))
        model = keras.Model(inputs, layers.Dense(4, activation="softmax" if softmax else None)(x))
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    return model


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(1).integers(0, 256, (48, SIZE, SIZE, 3), np.uint8)


def tensors(pictures):
    return [picture[np.newaxis].astype(np.float32) / 255 for picture in pictures]


@pytest.mark.parametrize("sequential", [False, True])
def test_a_folded_network_answers_as_before(pictures, sequential):
    model = network(sequential=sequential)
    batch = np.concatenate(tensors(pictures))

    folded = fold(model)

    np.testing.assert_allclose(folded(batch, training=False), model(batch, training=False), atol=1e-5)
    norms = sum(type(layer).__name__ == "BatchNormalization" for layer in folded.layers)
    assert norms == (1 if sequential else 0)


def test_folding_leaves_the_network_as_it_was(pictures):
    model = network()
    before = [weight.copy() for weight in model.get_weights()]
    finetune(model, tensors(pictures[:4]), pictures, 0, steps=2, rate=0.1)

    for old, now in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, now)


def test_a_model_inside_a_model_is_refused_with_what_to_do():
    import keras

    inner = network()
    inputs = keras.Input((SIZE, SIZE, 3))
    outer = keras.Model(inputs, keras.layers.ReLU()(inner(inputs)))

    with pytest.raises(ConversionError, match="build it flat"):
        fold(outer)


def outlying(model):
    """Put one outlier into each convolution: the grid of int8 is coarse for all the rest then."""
    for layer in model.layers:
        if type(layer).__name__ == "Conv2D":
            kernel, *rest = layer.get_weights()
            kernel[0, 0, 0] *= 12.0
            layer.set_weights([kernel, *rest])
    return model


def losses_of(model, pictures):
    losses = []
    finetune(model, tensors(pictures), pictures, 0, 80, 1e-3, on_step=lambda _, loss: losses.append(loss))
    return np.array(losses)


def test_fine_tuning_brings_the_rounded_network_closer_to_its_float_self(pictures):
    losses = losses_of(outlying(network(softmax=True, sequential=True)), pictures)

    assert losses[-20:].mean() < 0.8 * losses[0]


@pytest.mark.parametrize("softmax", [False, True])
def test_a_network_that_rounding_hardly_hurts_is_not_made_worse(pictures, softmax):
    losses = losses_of(outlying(network(softmax)), pictures)

    assert losses[-20:].mean() < 1.2 * losses[:20].mean()


def test_what_was_fine_tuned_converts_to_an_int8_that_answers_as_the_float_network(pictures, tmp_path):
    model, seen = outlying(network()), tensors(pictures)
    tuned = finetune(model, seen, pictures, 0, 80, 1e-3)
    (tmp_path / "m.tflite").write_bytes(convert_levels(tuned, ("int8",), lambda: iter(seen))["int8"])
    given = open_runtime(tmp_path / "m.tflite")

    wanted = np.concatenate([np.asarray(model(tensor, training=False)) for tensor in seen])
    answers = np.concatenate([given.invoke(tensor) for tensor in seen])
    apart = answers - wanted  # log-probabilities are compared: what all classes have in common does not matter
    apart -= apart.mean(axis=1, keepdims=True)
    assert np.abs(apart).mean() < 0.1 * np.ptp(wanted)
