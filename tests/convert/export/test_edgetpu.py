import numpy as np
import pytest

from convert.export.edgetpu import predict
from convert.export.tflite import convert_levels
from smear.errors import ConversionError
from tests.convert.tiny import classifier, segmenter


def int8_file(folder, model, level="int8"):
    rng = np.random.default_rng(1)
    shape = (1, *model.input_shape[1:])
    data = convert_levels(model, (level,), lambda: [rng.random(shape, np.float32) for _ in range(3)])[level]
    file = folder / f"model.{level}.tflite"
    file.write_bytes(data)
    return file


def with_softmax(size, axis_of_pixels):
    import keras

    inputs = keras.Input((size, size, 3))
    x = keras.layers.Conv2D(3, 1)(inputs)
    x = x if axis_of_pixels else keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Softmax()(x))


@pytest.mark.parametrize("model", [segmenter, classifier])
def test_convolutions_up_to_the_logits_are_predicted_to_map(tmp_path, model):
    prediction = predict(int8_file(tmp_path, model()))

    assert prediction.share == 1.0
    assert "predicted (not compiled): 100%" in prediction.lines()[-1]


@pytest.mark.parametrize("name", ["unet_light", "smearnet"])
def test_our_own_networks_are_predicted_fully_mapped(tmp_path, name):
    from train.networks import architectures

    prediction = predict(int8_file(tmp_path, getattr(architectures, name)()))

    assert prediction.share == 1.0, prediction.lines()


def test_a_softmax_over_pixels_stays_on_the_cpu_with_its_reason(tmp_path):
    prediction = predict(int8_file(tmp_path, with_softmax(32, axis_of_pixels=True)))

    assert prediction.share < 1.0
    assert "softmax over (1, 32, 32, 3), only one dimension" in prediction.lines()[0]


def test_a_softmax_over_classes_maps(tmp_path):
    assert predict(int8_file(tmp_path, with_softmax(32, axis_of_pixels=False))).share == 1.0


def test_what_comes_after_an_operation_that_stays_stays_as_well(tmp_path):
    import keras

    inputs = keras.Input((32, 32, 3))
    x = keras.layers.Softmax()(keras.layers.Conv2D(4, 1)(inputs))
    model = keras.Model(inputs, keras.layers.Conv2D(2, 1)(x))

    operations = predict(int8_file(tmp_path, model)).operations

    assert [v.maps for v in operations] == [True, False, False]
    assert "comes after operation 1 (SOFTMAX)" in operations[2].reason


@pytest.mark.parametrize("level", ["float32", "int16x8"])
def test_a_model_that_is_not_int8_does_not_map(tmp_path, level):
    prediction = predict(int8_file(tmp_path, segmenter(), level))

    assert prediction.share == 0.0
    assert "not int8" in prediction.lines()[0] or "not among" in prediction.lines()[0]


def test_an_operation_the_edge_tpu_lacks_is_named(tmp_path):
    import keras

    inputs = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(4, 1)(inputs)
    model = keras.Model(inputs, keras.layers.LeakyReLU()(x))

    operations = predict(int8_file(tmp_path, model)).operations

    assert (operations[1].operation, operations[1].maps) == ("LEAKY_RELU", False)


def test_a_file_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "a.tflite").write_text("a text that is long enough")

    with pytest.raises(ConversionError, match=r"a\.tflite: not a TFLite model"):
        predict(tmp_path / "a.tflite")
