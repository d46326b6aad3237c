from pathlib import Path

import numpy as np
import pytest

from benchmarks.interleaved import Effort
from benchmarks.suites import peak
from benchmarks.suites.operations import onnx_product
from benchmarks.suites.peak import AROUND, measure_peak
from smear.bundle.folder import load_bundle


def test_the_peak_is_the_fastest_product_and_the_models_are_held_against_it(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peak, "EFFORT", Effort(queries=8, seconds=1.0, burst=4, warm_s=0.0))
    monkeypatch.setattr(peak, "MODEL_S", 0.01)
    found = measure_peak(load_bundle(tiny_bundle), ("float32",), tmp_path, None, lambda what, done: None)
    assert {(each.engine, each.kind) for each in found.products if not each.fault} == {
        ("ai-edge-litert", "int8"), ("ai-edge-litert", "float32"), ("onnxruntime", "int8"),
    }  # fmt: skip
    assert found.int8_gmacs == max(each.gmacs for each in found.products if each.kind == "int8")
    assert found.level == "float32"
    assert 0 < found.reached["segmenter"] < 1
    assert [each.count for each in found.operations if each.operation == AROUND] == [1, 1]
    assert {each.operation for each in found.operations} >= {"CONV_2D 1x1", "MEAN", "FULLY_CONNECTED"}


def test_the_onnx_product_is_one() -> None:
    from onnxruntime import InferenceSession

    right = np.random.default_rng(0).integers(-127, 128, (16, 16)).astype(np.int8)  # as the model draws it
    session = InferenceSession(onnx_product(16), providers=["CPUExecutionProvider"])
    (product,) = session.run(None, {"left": np.eye(16, dtype=np.uint8)})
    np.testing.assert_array_equal(product, right)
