"""A network corrected for int8 gives, with rounded values, nearly the outputs it had in float."""

import numpy as np
import pytest

from convert.export.tflite import convert_levels, convert_with_ranges
from convert.quantization.batchnorm_folding import fold
from convert.quantization.fake_quantization import activation_ranges, fake_quantized, quantize_weights
from convert.quantization.quantization_aware import distill, finetune
from smear.errors import ConversionError
from smear.inference.tflite import open_runtime

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
    assert norms == 0


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


def test_a_network_with_an_operation_that_is_no_layer_is_refused_with_what_to_do():
    import keras

    inputs = keras.Input((SIZE, SIZE, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(4, 3)(inputs) + keras.layers.Conv2D(4, 3)(inputs))

    with pytest.raises(ConversionError, match="build it from layers alone"):
        fold(model)


def outlying(model):
    """Put one outlier into each convolution: the grid of int8 is coarse for all the rest then."""
    for layer in model.layers:
        if type(layer).__name__ == "Conv2D":
            kernel, *rest = layer.get_weights()
            kernel[0, 0, 0] *= 12.0
            layer.set_weights([kernel, *rest])
    return model


def losses_of(model, pictures, corrected=True):
    """The loss of each step of fine-tuning; not `corrected`: from weights and biases as training left them."""
    losses, seen = [], tensors(pictures)

    def noted(step, loss):
        losses.append(loss)

    if corrected:
        finetune(model, seen, pictures, 0, 80, 1e-3, on_step=noted)
    else:
        student = fold(model)
        distill(student, activation_ranges(student, seen), model, pictures, 0, 80, 1e-3, noted)
    return np.array(losses)


def test_fine_tuning_brings_the_rounded_network_closer_to_its_float_self(pictures):
    losses = losses_of(outlying(network(softmax=True, sequential=True)), pictures, corrected=False)

    assert losses[-20:].mean() < 0.8 * losses[0]


@pytest.mark.parametrize("softmax", [False, True])
def test_a_network_that_rounding_hardly_hurts_is_not_made_worse(pictures, softmax):
    losses = losses_of(outlying(network(softmax)), pictures)

    assert losses[-20:].mean() < 1.2 * losses[:20].mean()


def test_what_was_fine_tuned_converts_to_an_int8_that_answers_as_the_float_network(pictures, tmp_path):
    model, seen = outlying(network()), tensors(pictures)
    given = opened(convert_with_ranges(*finetune(model, seen, pictures, 0, 80, 1e-3)), tmp_path)

    wanted = np.concatenate([np.asarray(model(tensor, training=False)) for tensor in seen])
    answers = np.concatenate([given.invoke(tensor) for tensor in seen])
    apart = answers - wanted  # log-probabilities are compared: what all classes have in common does not matter
    apart -= apart.mean(axis=1, keepdims=True)
    assert np.abs(apart).mean() < 0.1 * np.ptp(wanted)


def apart(model, given, pictures):
    """Return how far `given` is from `model`, root mean square; what all classes have in common does not count."""
    wanted = np.concatenate([np.asarray(model(tensor, training=False)) for tensor in tensors(pictures)])
    off = np.concatenate([given.invoke(tensor) for tensor in tensors(pictures)]) - wanted
    return float(np.sqrt(np.square(off - off.mean(axis=-1, keepdims=True)).mean()))


def opened(data, folder):
    (folder / "m.tflite").write_bytes(data)
    return open_runtime(folder / "m.tflite")


@pytest.mark.parametrize("steps", [0, 80])
@pytest.mark.parametrize("kind", [{}, {"softmax": True, "sequential": True}])
def test_what_was_corrected_converts_to_an_int8_nearer_to_the_float_network_than_plain_int8(
    kind, steps, pictures, tmp_path
):
    model = outlying(network(**kind))
    plain = opened(convert_levels(model, ("int8",), lambda: tensors(pictures))["int8"], tmp_path)
    corrected = opened(convert_with_ranges(*finetune(model, tensors(pictures), pictures, 0, steps, 1e-3)), tmp_path)

    assert apart(model, corrected, pictures) < 0.9 * apart(model, plain, pictures)


def test_biases_are_corrected_until_each_channel_has_its_mean_again(pictures):
    model = outlying(network())
    batch = np.concatenate(tensors(pictures))

    corrected, ranges = finetune(model, tensors(pictures), pictures, 0, steps=0)
    uncorrected = fold(model)
    quantize_weights(uncorrected)

    wanted = np.asarray(model(batch, training=False)).mean(axis=0)
    off = {
        name: np.abs(np.asarray(fake_quantized(one, ranges)(batch)).mean(axis=0) - wanted).max()
        for name, one in (("corrected", corrected), ("uncorrected", uncorrected))
    }
    step = (ranges[corrected.layers[-1].name][1] - ranges[corrected.layers[-1].name][0]) / 255.0
    assert off["corrected"] < step
    assert off["corrected"] < 0.2 * off["uncorrected"]


def test_the_file_runs_on_the_very_ranges_that_it_was_corrected_on(pictures, tmp_path):
    model = outlying(network())
    corrected, ranges = finetune(model, tensors(pictures), pictures, 0, steps=0)
    given = opened(convert_with_ranges(corrected, ranges), tmp_path)

    wanted = np.asarray(fake_quantized(corrected, ranges)(np.concatenate(tensors(pictures))))
    low, high = ranges[corrected.layers[-1].name]
    answers = np.concatenate([given.invoke(tensor) for tensor in tensors(pictures)])
    assert np.abs(answers - wanted).max() < 2.5 * (high - low) / 255.0  # integers round half-way cases otherwise


def test_what_int8_would_leave_in_float_is_refused(pictures):
    import keras

    inputs = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.LayerNormalization()(keras.layers.Conv2D(4, 3)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(4)(keras.layers.Flatten()(x)))

    with pytest.raises(ConversionError, match="in float"):
        convert_with_ranges(*finetune(model, tensors(pictures), pictures, 0, steps=0))
