import numpy as np
import pytest

from convert.export.onnx import OnnxRuntime, export_onnx
from convert.export.tflite import CONVERTED, convert_levels
from convert.verification.parity import KerasRuntime, compare, outputs_of
from smear.errors import ConversionError
from smear.inference.tflite import open_runtime
from tests.convert.tiny import segmenter

RUNTIME = "ai-edge-litert"


@pytest.fixture(scope="module")
def tensors():
    rng = np.random.default_rng(2)
    return [rng.random((1, 224, 224, 3), np.float32) for _ in range(3)]


@pytest.fixture(scope="module")
def files(tensors, tmp_path_factory):
    folder = tmp_path_factory.mktemp("levels")
    found = {}
    for level, data in convert_levels(segmenter(), CONVERTED, lambda: tensors).items():
        found[level] = folder / f"{level}.tflite"
        found[level].write_bytes(data)
    return found


def test_every_level_has_a_batch_of_exactly_one_and_its_weights(files, tensors):
    expected = outputs_of(KerasRuntime(segmenter()), tensors)
    for level, file in files.items():
        model = open_runtime(file, RUNTIME)
        assert model.input_shape == model.output_shape == (1, 224, 224, 3)
        found = compare("segmenter", level, model.name, expected, outputs_of(model, tensors))
        assert found.agreement > 0.97, found
        assert found.max_difference < (0.001 if level in {"float32", "float16"} else 0.3), found


def test_int8_is_integer_from_end_to_end(files):
    from ai_edge_litert.interpreter import Interpreter

    model = Interpreter(str(files["int8"]))

    assert model.get_input_details()[0]["dtype"] == model.get_output_details()[0]["dtype"] == np.int8


def test_a_calibrated_level_without_pictures_says_what_is_missing():
    with pytest.raises(ConversionError, match="int8 needs representative pictures"):
        convert_levels(segmenter(), ("int8",), None)


def test_onnx_gives_the_outputs_of_keras(tmp_path, tensors):
    export_onnx(segmenter(), tmp_path / "m.onnx")

    model = OnnxRuntime(tmp_path / "m.onnx")

    found = compare(
        "segmenter", "onnx", model.name, outputs_of(KerasRuntime(segmenter()), tensors), outputs_of(model, tensors)
    )
    assert found.agreement == 1.0
    assert found.max_difference < 1e-4
