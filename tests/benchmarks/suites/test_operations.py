from pathlib import Path

import numpy as np
import pytest

from benchmarks.schema import BenchmarkError
from benchmarks.suites.operations import matrix_product, multiply_adds, pieces
from smear.imaging.resampling import FIELD_SIZE


def invoke(model: bytes, *given: np.ndarray) -> np.ndarray:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    for details, values in zip(interpreter.get_input_details(), given, strict=True):
        interpreter.set_tensor(details["index"], values)
    interpreter.invoke()
    return np.asarray(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))


def test_a_convolution_costs_its_filters_at_every_pixel(tiny_bundle: Path) -> None:
    assert multiply_adds(tiny_bundle / "segmenter.float32.tflite") == 3 * 3 * FIELD_SIZE**2


def test_a_dense_layer_costs_its_weights_and_a_mean_nothing(tiny_bundle: Path) -> None:
    assert multiply_adds(tiny_bundle / "classifier.float32.tflite") == 5 * 3


def test_each_operation_runs_alone_and_together_they_make_the_model(tiny_bundle: Path) -> None:
    file = tiny_bundle / "classifier.float32.tflite"
    cut = list(pieces(file))
    assert [piece.operation for piece in cut] == ["MEAN", "FULLY_CONNECTED"]
    assert sum(piece.multiply_adds for piece in cut) == multiply_adds(file)
    image = np.random.default_rng(0).random((1, 48, 48, 3), np.float32)
    whole = invoke(file.read_bytes(), image)
    for piece in cut:
        image = invoke(piece.model, image)
    np.testing.assert_allclose(image, whole, rtol=1e-5)


def test_the_matrix_product_is_one() -> None:
    left = np.eye(64, dtype=np.float32)
    right = np.random.default_rng(0).integers(-127, 128, (64, 64)).astype(np.int8)  # as the model draws it
    np.testing.assert_array_equal(invoke(matrix_product(64, quantized=False), left), right.T.astype(np.float32))


def test_the_int8_product_is_int8_from_end_to_end() -> None:
    given = np.full((64, 64), 100, np.int8)
    assert invoke(matrix_product(64, quantized=True), given).dtype == np.int8


def test_a_file_that_is_no_model_is_named(tmp_path: Path) -> None:
    file = tmp_path / "wild.tflite"
    file.write_bytes(b"not a model at all")
    with pytest.raises(BenchmarkError, match=r"wild\.tflite"):
        multiply_adds(file)
