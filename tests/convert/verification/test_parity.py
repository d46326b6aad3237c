"""Outputs of converted files are compared with Keras on the same inputs, here and in another environment."""

import sys
from pathlib import Path

import numpy as np
import pytest

from convert.export.tflite import convert_levels
from convert.verification.parity import (
    KerasRuntime,
    check_tflite_python,
    compare,
    compare_files,
    in_process,
    in_subprocess,
    outputs_of,
)
from smear.errors import ConversionError
from smear.imaging.masking import cell_share
from smear.inference.runtime import RecordingRuntime
from smear.inference.tflite import open_runtime
from tests.convert.tiny import segmenter

RUNTIME = "ai-edge-litert"


@pytest.fixture(scope="module")
def inputs():
    rng = np.random.default_rng(2)
    return [rng.random((1, 224, 224, 3), np.float32) for _ in range(3)]


@pytest.fixture(scope="module")
def expected(inputs):
    return outputs_of(KerasRuntime(segmenter()), inputs)


@pytest.fixture(scope="module")
def float32_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("models") / "segmenter.float32.tflite"
    file.write_bytes(convert_levels(segmenter(), ("float32",), None)["float32"])
    return file


def test_a_converted_file_agrees_with_keras_and_its_difference_is_named(inputs, expected, float32_file):
    run = in_process(lambda file: open_runtime(file, RUNTIME), inputs)

    (found,) = compare_files("segmenter", [("float32", float32_file)], RUNTIME, run, expected)

    assert (found.role, found.level, found.runtime, found.n, found.fault) == ("segmenter", "float32", RUNTIME, 3, "")
    assert found.agreement == 1.0
    assert found.mean_difference <= found.max_difference < 1e-3


def test_a_file_that_cannot_be_opened_is_a_fault_and_the_others_are_still_compared(
    inputs, expected, float32_file, tmp_path
):
    (tmp_path / "bad.tflite").write_bytes(b"nothing")
    run = in_process(lambda file: open_runtime(file, RUNTIME), inputs)

    bad, good = compare_files(
        "segmenter", [("int8", tmp_path / "bad.tflite"), ("float32", float32_file)], RUNTIME, run, expected
    )

    assert "bad.tflite" in bad.fault
    assert bad.agreement == 0.0
    assert not good.fault


def test_an_output_that_is_not_a_number_is_the_largest_difference():
    found = compare("classifier", "int8", "x", [np.zeros((1, 4))], [np.full((1, 4), np.nan)])

    assert found.max_difference == found.mean_difference == float("inf")


def test_without_inputs_there_is_no_agreement_and_the_fault_says_so():
    found = compare("classifier", "int8", "x", [], [])

    assert found.agreement == 0.0
    assert found.fault == "there was nothing to compare"


def test_differences_are_absolute_and_over_all_outputs():
    found = compare("classifier", "int8", "x", [np.array([[1.0, 0.0]])] * 2, [np.array([[0.5, 0.0]])] * 2)

    assert found.max_difference == 0.5
    assert found.mean_difference == 0.25
    assert found.agreement == 1.0


def test_a_recording_runtime_keeps_copies_of_what_it_passes_on(inputs):
    recorder = RecordingRuntime(KerasRuntime(segmenter()))
    tensor = inputs[0].copy()

    output = recorder.invoke(tensor)
    tensor[:] = 0.0

    assert recorder.output_shape == output.shape
    assert len(recorder.inputs) == 1
    np.testing.assert_array_equal(recorder.inputs[0], inputs[0])


def test_neutral_background_has_no_weight():
    tensor = np.ones((1, 32, 32, 3), np.float32)
    tensor[0, :16, 16:] = 0.5

    assert cell_share(tensor) == 0.25


def test_the_cells_of_a_field_are_pooled_before_they_are_compared():
    sure, unsure, other = np.array([[4.0, 0, 0, 0]]), np.array([[0.1, 0, 0, 0]]), np.array([[0, 0.1, 0, 0]])
    weights = [1.0, 1.0]

    assert compare("classifier", "int8", "x", [sure, unsure], [sure, other], weights, [0, 0]).agreement == 1.0
    assert compare("classifier", "int8", "x", [sure, unsure], [sure, other]).agreement == 0.5
    assert compare("classifier", "int8", "x", [sure, unsure], [sure, other], weights, [0, 1]).agreement == 0.5


def test_a_cell_counts_by_its_weight():
    first, second = np.array([[1.0, 0, 0, 0]]), np.array([[0, 1.0, 0, 0]])

    def agreement(weights):
        return compare("classifier", "int8", "x", [first, first], [first, second], weights, [0, 0]).agreement

    assert agreement([1.0, 0.1]) == 1.0
    assert agreement([0.1, 1.0]) == 0.0


def test_a_map_counts_by_its_mean():
    one, half = np.zeros((1, 2, 2, 4)), np.zeros((1, 2, 2, 4))
    one[..., 0], half[0, 0, :, 1], half[0, 1, :, 0] = 0.1, 0.5, 1.0

    assert compare("classifier", "int8", "x", [one], [half], [1.0], [0]).agreement == 1.0


def test_a_python_without_tflite_runtime_is_named_before_any_work(tmp_path):
    with pytest.raises(ConversionError, match="install tflite-runtime there"):
        check_tflite_python(Path(sys.executable))
    with pytest.raises(ConversionError, match="no-python"):
        check_tflite_python(tmp_path / "no-python")


def test_a_model_that_fails_in_the_other_environment_is_a_fault(tmp_path, inputs, expected):
    with in_subprocess(Path(sys.executable), inputs) as run:
        (found,) = compare_files("segmenter", [("int8", tmp_path / "none.tflite")], "tflite-runtime", run, expected)

    assert found.n == 0
    assert found.fault


def test_outputs_of_the_other_environment_are_compared_as_its_script_writes_them(tmp_path, inputs, expected):
    """A stand-in for the interpreter of that environment: it doubles its inputs, as a wrong model might."""
    python = tmp_path / "python"
    python.write_text(f"#!{sys.executable}\nimport sys, numpy as np\nnp.save(sys.argv[4], 2 * np.load(sys.argv[3]))\n")
    python.chmod(0o755)

    with in_subprocess(python, inputs) as run:
        doubled = run(tmp_path / "any.tflite")

    assert len(doubled) == len(inputs)
    np.testing.assert_array_equal(doubled[1], 2 * inputs[1])
