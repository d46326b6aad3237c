"""Models by path and name: float32 in and out whatever they hold, and a refusal for what is no model."""

import os
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smear.errors import BundleError, InferenceError, RuntimeUnavailableError
from smear.inference.runtime import RuntimeKind
from smear.inference.tflite import AI_EDGE_LITERT, AUTOMATIC, TFLiteModel, open_runtime
from tests.tiny_bundle import (
    CLASS_BIAS,
    CLASS_WEIGHTS,
    SEGMENT_BIAS,
    SEGMENT_WEIGHTS,
    copying_int8_model,
    mean_model,
    pixel_model,
)

SCALE, ZERO = 1 / 64, -10


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    (tmp_path / "c.tflite").write_bytes(mean_model(CLASS_WEIGHTS, CLASS_BIAS, 48))
    return tmp_path / "c.tflite"


def test_a_convolution_answers_as_numpy_does(tmp_path: Path) -> None:
    (tmp_path / "s.tflite").write_bytes(pixel_model(SEGMENT_WEIGHTS, SEGMENT_BIAS, 32))
    model = open_runtime(tmp_path / "s.tflite")
    tensor = np.random.default_rng(0).random((1, 32, 32, 3), np.float32)
    answer = model.invoke(tensor)
    assert answer.dtype == np.float32
    assert answer.shape == model.output_shape == (1, 32, 32, 3)
    assert np.allclose(answer, tensor @ SEGMENT_WEIGHTS.T + SEGMENT_BIAS, atol=1e-3)
    model.close()


def test_a_dense_layer_answers_as_numpy_does(classifier: Path) -> None:
    tensor = np.random.default_rng(0).random((1, 48, 48, 3), np.float32)
    answer = open_runtime(classifier).invoke(tensor)
    assert np.allclose(answer, tensor.mean(axis=(1, 2)) @ CLASS_WEIGHTS.T + CLASS_BIAS, atol=1e-3)


def test_an_answer_is_not_changed_by_the_next_one(classifier: Path) -> None:
    model = open_runtime(classifier)
    first = model.invoke(np.zeros((1, 48, 48, 3), np.float32))
    kept = first.copy()
    model.invoke(np.ones((1, 48, 48, 3), np.float32))
    assert (first == kept).all()


def test_more_threads_give_the_same_answer(classifier: Path) -> None:
    tensor = np.random.default_rng(0).random((1, 48, 48, 3), np.float32)
    answers = [open_runtime(classifier, threads=threads).invoke(tensor) for threads in (1, 4)]
    assert np.allclose(*answers, atol=1e-5)


@settings(deadline=None, max_examples=30)
@given(value=st.floats(-3, 3))
def test_int8_goes_in_and_comes_out_as_float_within_half_a_step(
    tmp_path_factory: pytest.TempPathFactory, value: float
) -> None:
    path = tmp_path_factory.getbasetemp() / "copy.int8.tflite"
    if not path.exists():
        path.write_bytes(copying_int8_model((1, 2, 2, 3), SCALE, ZERO))
    answer = open_runtime(path).invoke(np.full((1, 2, 2, 3), value, np.float32))
    low, high = (-128 - ZERO) * SCALE, (127 - ZERO) * SCALE
    assert answer.dtype == np.float32
    assert answer == pytest.approx(np.clip(value, low, high), abs=SCALE / 2 + 1e-6)


@pytest.mark.parametrize("name", [None, "auto"])
def test_auto_takes_ai_edge_litert_where_it_is_installed(classifier: Path, name: str | None) -> None:
    assert open_runtime(classifier, name).name == "ai-edge-litert"


def test_auto_goes_on_with_tflite_runtime_where_ai_edge_litert_is_missing(
    classifier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = ModuleType("tflite_runtime.interpreter")
    older.Interpreter = AI_EDGE_LITERT.load().Interpreter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    monkeypatch.setitem(sys.modules, "tflite_runtime", ModuleType("tflite_runtime"))
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", older)
    assert open_runtime(classifier, "auto").name == "tflite-runtime"


def test_auto_without_any_runtime_says_what_to_install(classifier: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("ai_edge_litert.interpreter", "tflite_runtime"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        RuntimeUnavailableError, match=r"no inference runtime .*smearscope\[device\].*smearscope\[tflite\]"
    ):
        open_runtime(classifier)


def test_the_older_runtime_answers_the_same(classifier: Path) -> None:
    pytest.importorskip("tflite_runtime", reason="the extra 'tflite' is not installed here")
    tensor = np.random.default_rng(0).random((1, 48, 48, 3), np.float32)
    answers = [open_runtime(classifier, kind.name).invoke(tensor) for kind in AUTOMATIC]
    assert np.allclose(*answers, atol=1e-4)


def test_a_runtime_that_is_not_installed_names_its_extra(classifier: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tflite_runtime", None)
    with pytest.raises(RuntimeUnavailableError, match=r"not installed .*pip install 'smearscope\[tflite\]'"):
        open_runtime(classifier, "tflite-runtime")


def test_an_unknown_runtime_lists_the_known_ones(classifier: Path) -> None:
    with pytest.raises(
        RuntimeUnavailableError, match="'torch' is no runtime; write one of: auto, ai-edge-litert, tflite-runtime"
    ):
        open_runtime(classifier, "torch")


@pytest.mark.filterwarnings("error")  # a half-made delegate would complain when it is thrown away
@pytest.mark.parametrize(
    ("library", "why"), [("libnothing.so", "cannot open shared object"), ("libc.so.6", "it is not a TFLite delegate")]
)
def test_a_delegate_that_is_not_there_or_none_says_what_to_do(classifier: Path, library: str, why: str) -> None:
    with pytest.raises(RuntimeUnavailableError, match=rf"{library} .*{why}.*set model\.level to int8"):
        open_runtime(classifier, delegate=library)


@pytest.mark.parametrize("content", [b"", b"text, not a model", b"\0\0\0\0TFL3", b"\x1c\0\0\0TFL3" + bytes(64)])
def test_what_is_no_model_is_refused_before_it_can_do_harm(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.tflite").write_bytes(content)
    with pytest.raises(BundleError, match=r"bad\.tflite.*install the bundle again"):
        open_runtime(tmp_path / "bad.tflite")


def test_a_missing_model_file_is_a_bundle_error(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="is missing; install the bundle again"):
        open_runtime(tmp_path / "nothing.tflite")


def test_an_input_of_another_shape_is_refused(classifier: Path) -> None:
    with pytest.raises(InferenceError, match=r"takes \(1, 48, 48, 3\), not \(1, 32, 32, 3\)"):
        open_runtime(classifier).invoke(np.zeros((1, 32, 32, 3), np.float32))


def test_a_line_that_another_thread_logs_while_a_model_loads_is_not_lost(
    classifier: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = AI_EDGE_LITERT.load()

    class Interpreter(real.Interpreter):  # type: ignore[misc, name-defined]
        def __init__(self, **values: Any) -> None:
            logging = threading.Thread(target=os.write, args=(2, b"logged meanwhile\n"))
            logging.start()
            logging.join()
            super().__init__(**values)

    module = ModuleType("a_runtime")
    module.Interpreter = Interpreter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "a_runtime", module)
    kind = RuntimeKind(
        name="test", help="a test", module="a_runtime", open=lambda content, name, *_: TFLiteModel(kind, content, name)
    )
    kind.open(classifier.read_bytes(), "c.tflite", 1, None).invoke(np.zeros((1, 48, 48, 3), np.float32))
    assert "logged meanwhile" in capfd.readouterr().err
