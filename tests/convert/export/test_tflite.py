import sys
from pathlib import Path

import numpy as np
import pytest

from convert.export.onnx import OnnxRuntime, export_onnx
from convert.export.tflite import CONVERTED, convert_levels
from convert.verification.parity import (
    KerasRuntime,
    Tap,
    answers,
    check_elsewhere,
    compare,
    compare_files,
    elsewhere,
    here,
    say_of,
)
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
    expected = answers(KerasRuntime(segmenter()), tensors)
    for level, file in files.items():
        model = open_runtime(file, RUNTIME)
        assert model.input_shape == model.output_shape == (1, 224, 224, 3)
        found = compare("segmenter", level, model.name, expected, answers(model, tensors))
        assert found.agreement > 0.97, found
        assert found.max_difference < (0.001 if level in {"float32", "float16"} else 0.3), found


def test_int8_is_integer_from_end_to_end(files):
    from ai_edge_litert.interpreter import Interpreter

    model = Interpreter(str(files["int8"]))

    assert model.get_input_details()[0]["dtype"] == model.get_output_details()[0]["dtype"] == np.int8


def test_a_calibrated_level_without_pictures_says_what_is_missing():
    with pytest.raises(ConversionError, match="int8 needs representative pictures"):
        convert_levels(segmenter(), ("int8",), None)


def test_onnx_answers_as_keras(tmp_path, tensors):
    export_onnx(segmenter(), tmp_path / "m.onnx")

    model = OnnxRuntime(tmp_path / "m.onnx")

    found = compare(
        "segmenter", "onnx", model.name, answers(KerasRuntime(segmenter()), tensors), answers(model, tensors)
    )
    assert found.agreement == 1.0
    assert found.max_difference < 1e-4


def test_a_runtime_that_cannot_open_a_file_is_a_finding_and_not_a_crash(tmp_path, tensors):
    (tmp_path / "bad.tflite").write_bytes(b"nothing")

    found = compare_files(
        "segmenter",
        [("int8", tmp_path / "bad.tflite")],
        RUNTIME,
        here(lambda f: open_runtime(f, RUNTIME), tensors),
        tensors,
    )

    assert found[0].fault
    assert found[0].agreement == 0.0


def test_an_answer_that_is_not_a_number_is_the_largest_difference():
    found = compare("classifier", "int8", "x", [np.zeros((1, 4))], [np.full((1, 4), np.nan)])

    assert found.max_difference == float("inf")


def test_nothing_to_compare_is_no_agreement():
    assert compare("classifier", "int8", "x", [], []).agreement == 0.0


def test_a_tap_remembers_what_it_passes_on(tensors):
    tap = Tap(KerasRuntime(segmenter()))

    tap.invoke(tensors[0])

    assert len(tap.seen) == 1
    np.testing.assert_array_equal(tap.seen[0], tensors[0])


def test_neutral_ground_has_no_say():
    tensor = np.ones((1, 32, 32, 3), np.float32)
    tensor[0, :16, 16:] = 0.5

    assert say_of(tensor) == 0.25


def test_the_cells_of_a_field_are_pooled_before_they_are_compared():
    sure, unsure, other = np.array([[4.0, 0, 0, 0]]), np.array([[0.1, 0, 0, 0]]), np.array([[0, 0.1, 0, 0]])
    say = [1.0, 1.0]

    assert compare("classifier", "int8", "x", [sure, unsure], [sure, other], say, [0, 0]).agreement == 1.0
    assert compare("classifier", "int8", "x", [sure, unsure], [sure, other]).agreement == 0.5
    assert compare("classifier", "int8", "x", [sure, unsure], [sure, other], say, [0, 1]).agreement == 0.5


def test_what_a_map_says_is_its_mean():
    one, half = np.zeros((1, 2, 2, 4)), np.zeros((1, 2, 2, 4))
    one[..., 0], half[0, 0, :, 1], half[0, 1, :, 0] = 0.1, 0.5, 1.0

    assert compare("classifier", "int8", "x", [one], [half], [1.0], [0]).agreement == 1.0


def test_a_python_without_tflite_runtime_is_named_before_any_work(tmp_path):
    with pytest.raises(ConversionError, match="install tflite-runtime there"):
        check_elsewhere(Path(sys.executable))
    with pytest.raises(ConversionError, match="no-python"):
        check_elsewhere(tmp_path / "no-python")


def test_a_model_that_fails_elsewhere_is_a_finding(tmp_path, tensors):
    with elsewhere(Path(sys.executable), tensors) as answer:
        found = compare_files("segmenter", [("int8", tmp_path / "none.tflite")], "tflite-runtime", answer, tensors)

    assert found[0].n == 0
    assert found[0].fault
