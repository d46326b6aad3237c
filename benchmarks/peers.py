"""The same networks in other people's engines, each with its best settings: ONNX Runtime, its own int8, OpenCV."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import schema
from benchmarks.models import ROLES
from benchmarks.rig import Effort, Say, Spec, latency_of, measure
from smear.bundle import Bundle, Role
from smear.preprocess import tile, to_tensor

CALIBRATION = 20  # inputs that set the ranges of ONNX Runtime's int8


def measure_peers(
    bundle: Bundle, fields: np.ndarray, threads: int, scratch: Path, effort: Effort, say: Say
) -> list[schema.Variant]:
    """Measure the bundle's float32 networks in each engine; what is missing is a row that says why.

    ONNX files are those that `smearscope convert --onnx` leaves beside the bundle. `fields` is uint8 (n, H, W, 3).
    """
    specs, rows = list[Spec](), list[schema.Variant]()
    for role in ROLES:
        for engine, level, path, why in _files(bundle, role, fields, scratch):
            key = "/".join(("bundle", role, level, engine, str(threads)))
            row = schema.Variant(
                key=key, pair="bundle", role=role, level=level, runtime=engine, threads=threads, fault=why,
                file_bytes=0 if path is None else path.stat().st_size,
            )  # fmt: skip
            rows.append(row)
            if path is not None:
                ask = {"path": str(path), "threads": threads, "shape": [1, *_input_shape(bundle, role)]}
                specs.append(Spec(key, "opencv" if engine == "opencv" else "onnx", ask))
    found = measure(specs, effort, say)
    return [_filled(row, found[row.key]) if row.key in found else row for row in rows]


def _filled(row: schema.Variant, got: Any) -> schema.Variant:
    latency = latency_of(got.times) if len(got.times) else None
    return row.model_copy(update={**got.opened, "latency": latency, "fault": got.fault})


def _input_shape(bundle: Bundle, role: Role) -> tuple[int, int, int]:
    size = bundle.manifest.input.size if role == "segmenter" else bundle.manifest.classifier.input_size
    return size, size, 3


def _files(
    bundle: Bundle, role: Role, fields: np.ndarray, scratch: Path
) -> Iterator[tuple[str, str, Path | None, str]]:
    """Yield engine, level, file (None where it is missing) and why."""
    onnx = bundle.path.with_name(f"{bundle.path.name}.{role}.onnx")
    if onnx.is_file():
        yield "onnxruntime", "float32", onnx, ""
        try:
            yield "onnxruntime", "int8", _quantized(onnx, bundle, role, fields, scratch), ""
        except ImportError as error:
            yield "onnxruntime", "int8", None, f"quantizing needs {error.name}; pip install onnx"
        except (ValueError, RuntimeError) as error:
            yield "onnxruntime", "int8", None, " ".join(str(error).split())[:200]
        yield "opencv", "float32", onnx, ""
        return
    why = f"no {onnx.name} beside the bundle; make it with 'smearscope convert --onnx'"
    yield "onnxruntime", "float32", None, why
    yield "onnxruntime", "int8", None, why
    if "float32" in bundle.manifest.segmenter.levels:
        yield "opencv", "float32", bundle.model(role, "float32"), ""


def _quantized(onnx: Path, bundle: Bundle, role: Role, fields: np.ndarray, scratch: Path) -> Path:
    """Quantize with ONNX Runtime's own tool as its manual advises: static, per channel, QDQ."""
    from onnxruntime import InferenceSession, quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    name = InferenceSession(str(onnx), providers=["CPUExecutionProvider"]).get_inputs()[0].name
    ready, out = scratch / f"{role}.ready.onnx", scratch / f"{role}.int8.onnx"
    quant_pre_process(str(onnx), str(ready))
    size = _input_shape(bundle, role)[0]

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        """Gives the calibration one field after the other."""

        def __init__(self) -> None:
            self._left = iter(_inputs(fields, size))

        def get_next(self) -> dict[str, np.ndarray] | None:
            """Return the next input, None at the end."""
            tensor = next(self._left, None)
            return None if tensor is None else {name: tensor}

    quantization.quantize_static(str(ready), str(out), Reader(), per_channel=True)
    return out


def _inputs(fields: np.ndarray, size: int) -> Iterable[np.ndarray]:
    for i in range(CALIBRATION):
        image = fields[i % len(fields)]
        room = image.shape[0] - size
        yield to_tensor(tile(image, (i * 37 % (room + 1), i * 53 % (room + 1)), size))
