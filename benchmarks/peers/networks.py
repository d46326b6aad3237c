"""The same networks in other engines, each with its best settings: ONNX Runtime, its own int8, and OpenCV."""

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.interleaved import Spec
from benchmarks.schema import BenchmarkError
from smear.bundle.folder import Bundle
from smear.bundle.manifest import Role
from smear.images import write_atomic
from smear.imaging.resampling import to_tensor
from smear.imaging.tiling import tile

CALIBRATION = 20  # inputs that set the ranges of ONNX Runtime's int8
OPSET = "18"  # the newest that tf2onnx writes


def plan_peers(
    bundle: Bundle, role: Role, fields: NDArray[np.uint8], threads: int, scratch: Path
) -> Iterator[tuple[Spec | None, dict[str, Any]]]:
    """Yield what to measure of the bundle's float32 `role` in each engine, and the facts of its row.

    A model that is missing has no spec, and a row with the fault. `fields` is uint8 (n, H, W, 3).
    """
    for engine, level, path, fault in _files(bundle, role, fields, scratch):
        key = "/".join(("bundle", role, level, engine, str(threads)))
        facts = {
            "key": key, "pair": "bundle", "role": role, "level": level, "runtime": engine, "threads": threads,
            "fault": fault, "file_bytes": 0 if path is None else path.stat().st_size,
        }  # fmt: skip
        request = {"path": str(path), "threads": threads, "shape": [1, *_input_shape(bundle, role)]}
        yield None if path is None else Spec(key, "opencv" if engine == "opencv" else "onnx", request), facts


def onnx_of(bundle: Bundle, role: Role) -> Path:
    """Return the bundle's float32 `role` as ONNX.

    It lies beside the bundle, where `smearscope convert --onnx` writes it, or is made once from the bundle's own
    TFLite file with tf2onnx and kept by checksum in the user's cache.

    Raises:
        BenchmarkError: it does not exist and cannot be made.
    """
    beside = bundle.path.with_name(f"{bundle.path.name}.{role}.onnx")
    if beside.is_file():
        return beside
    if "float32" not in getattr(bundle.manifest, role).levels:
        raise BenchmarkError(f"no {beside.name} beside the bundle, and no float32 in it to make it from")
    source = bundle.model(role, "float32")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "smearscope", "onnx")
    kept = cache / f"{hashlib.sha256(source.read_bytes()).hexdigest()[:32]}.onnx"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(kept, _converted(source, beside.name))
    return kept


def _converted(source: Path, name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "model.onnx")
        command = [sys.executable, "-m", "tf2onnx.convert", "--tflite", str(source), "--output", str(out)]
        done = subprocess.run([*command, "--opset", OPSET], capture_output=True, text=True, check=False)
        if out.is_file():
            return out.read_bytes()
        reason = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1][:200]
        raise BenchmarkError(
            f"no {name} beside the bundle, and tf2onnx did not make it ({reason}); "
            "pip install 'smearscope[convert]', or copy the file that 'smearscope convert --onnx' writes"
        )


def _input_shape(bundle: Bundle, role: Role) -> tuple[int, int, int]:
    size = bundle.manifest.input.size if role == "segmenter" else bundle.manifest.classifier.input_size
    return size, size, 3


def _files(
    bundle: Bundle, role: Role, fields: NDArray[np.uint8], scratch: Path
) -> Iterator[tuple[str, str, Path | None, str]]:
    """Yield engine, level, file (None where it is missing) and fault."""
    try:
        onnx = onnx_of(bundle, role)
    except (BenchmarkError, OSError) as error:
        yield "onnxruntime", "float32", None, str(error)
        yield "onnxruntime", "int8", None, str(error)
        if "float32" in getattr(bundle.manifest, role).levels:
            yield "opencv", "float32", bundle.model(role, "float32"), ""
        return
    yield "onnxruntime", "float32", onnx, ""
    try:
        yield "onnxruntime", "int8", _quantized(onnx, bundle, role, fields, scratch), ""
    except ImportError as error:
        yield "onnxruntime", "int8", None, f"cannot quantize ({error}); pip install 'smearscope[bench]'"
    except _quantization_errors() as error:
        yield "onnxruntime", "int8", None, " ".join(str(error).split())[:200]
    yield "opencv", "float32", onnx, ""


def _quantization_errors() -> tuple[type[Exception], ...]:
    """Return what quantizing may raise; ONNX Runtime's own exceptions have no common base."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    own = [each for each in vars(state).values() if isinstance(each, type) and issubclass(each, Exception)]
    return (ValueError, RuntimeError, *own)


def _quantized(onnx: Path, bundle: Bundle, role: Role, fields: NDArray[np.uint8], scratch: Path) -> Path:
    """Quantize with ONNX Runtime's own tool as its manual advises (static, per channel, QDQ); return the file."""
    from onnxruntime import InferenceSession, quantization, set_default_logger_severity
    from onnxruntime.quantization.shape_inference import quant_pre_process

    set_default_logger_severity(3)  # errors
    name = InferenceSession(str(onnx), providers=["CPUExecutionProvider"]).get_inputs()[0].name
    prepared, out = scratch / f"{role}.prepared.onnx", scratch / f"{role}.int8.onnx"
    quant_pre_process(str(onnx), str(prepared), skip_symbolic_shape=True)  # every shape is a number already
    size = _input_shape(bundle, role)[0]

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        """Feeds the calibration one input after the other."""

        def __init__(self) -> None:
            self._inputs = iter(_inputs(fields, size))

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            """Return the next input, None at the end."""
            tensor = next(self._inputs, None)
            return None if tensor is None else {name: tensor}

    quantization.quantize_static(str(prepared), str(out), Reader(), per_channel=True)
    return out


def _inputs(fields: NDArray[np.uint8], size: int) -> Iterator[NDArray[np.float32]]:
    for i in range(CALIBRATION):
        image = fields[i % len(fields)]
        room = image.shape[0] - size
        yield to_tensor(tile(image, (i * 37 % (room + 1), i * 53 % (room + 1)), size))
