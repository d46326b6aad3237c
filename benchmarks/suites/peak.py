"""Measures how fast this machine multiplies, what share the models reach, and which operations take the rest."""

import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import schema
from benchmarks.interleaved import ROOT, Effort, Spec, measure
from benchmarks.peers.training import MODULE
from benchmarks.progress import OnProgress
from benchmarks.suites.levels import ROLES, base_level
from benchmarks.suites.operations import matrix_product, multiply_adds, onnx_product, pieces
from benchmarks.worker import Step, tflite_invoke
from smear.bundle.folder import Bundle
from smear.inference.tflite import AI_EDGE_LITERT, open_runtime

SIZES = (256, 512, 1024)  # of a square product: the smallest fits the caches, the largest hides the overhead of a call
# The peak is the fastest of many short invokes: on a shared machine their mean holds the time of other processes.
EFFORT = Effort(queries=300, seconds=1.5, burst=25, warm_s=0.1)
PIECE_S, MODEL_S = 0.01, 1.5  # for each operation and each model
MIN_INVOKES = 10  # of each, even where they take longer
SWEEPS = 3  # over the operations: a disturbance in one sweep is gone in the next
AROUND = "quantizing the picture, reading the output (outside the model)"


def measure_peak(
    bundle: Bundle, levels: tuple[str, ...], scratch: Path, torch: Path | None, on_progress: OnProgress
) -> schema.Peak:
    """Measure plain matrix products on one thread, and each operation of the bundle's models alone.

    The products take turns, in the engines that are installed; `torch` is an interpreter that has PyTorch.
    """
    products = _products(scratch, torch, on_progress)
    fastest = {kind: max((p.gmacs for p in products if p.kind == kind), default=0.0) for kind in ("int8", "float32")}
    level = base_level(levels)
    peak = fastest["int8" if level == "int8" else "float32"]
    if not peak:
        raise schema.BenchmarkError(f"no matrix product was measured ({'; '.join({p.fault for p in products})})")
    on_progress(f"operations of the models at {level}", 0.9)
    files = {role: bundle.model(role, level) for role in ROLES}
    invoke_ms: dict[str, float] = {role: _fastest_ms(_bare(file), MODEL_S) for role, file in files.items()}
    work: dict[str, int] = {role: multiply_adds(file) or 0 for role, file in files.items()}
    return schema.Peak(
        int8_gmacs=fastest["int8"],
        float32_gmacs=fastest["float32"],
        level=level,
        reached={role: work[role] / ms / 1e6 / peak for role, ms in invoke_ms.items()},
        invoke_ms=invoke_ms,
        operations=tuple(
            each for role, file in files.items() for each in _operations(file, role, peak, invoke_ms[role], scratch)
        ),
        products=tuple(products),
    )


def _products(scratch: Path, torch: Path | None, on_progress: OnProgress) -> list[schema.Product]:
    plan = list(_plan(scratch, torch))
    found = measure([spec for spec, _ in plan], EFFORT, on_progress)
    rows = []
    for spec, facts in plan:
        got = found[spec.key]
        fastest = float(got.times.min()) if got.queries else None
        gmacs = facts["size"] ** 3 / fastest / 1e6 if fastest else 0.0
        rows.append(schema.Product(**facts, gmacs=gmacs, fault=got.fault))
    return rows


def _plan(scratch: Path, torch: Path | None) -> Iterator[tuple[Spec, dict[str, Any]]]:
    for size in SIZES:
        for kind in ("int8", "float32"):
            file = scratch / f"product-{kind}-{size}.tflite"
            file.write_bytes(matrix_product(size, kind == "int8"))
            request: dict[str, Any] = {"path": str(file), "module": AI_EDGE_LITERT.module, "threads": 1}
            facts = {"engine": AI_EDGE_LITERT.name, "kind": kind, "size": size}
            yield Spec(file.stem, "tflite", request), facts
    size = SIZES[-1]
    try:
        file = scratch / "product.onnx"
        file.write_bytes(onnx_product(size))
        request = {"path": str(file), "threads": 1}
        yield Spec("product-onnx", "onnx", request), {"engine": "onnxruntime", "kind": "int8", "size": size}
    except ImportError:
        pass  # one engine fewer
    if torch:
        request = {"engine": "PyTorch product", "module": MODULE, "threads": 1, "size": size, "root": str(ROOT)}
        yield Spec("product-torch", "engine", request, torch), {"engine": "PyTorch", "kind": "int8", "size": size}


def _operations(model: Path, role: str, peak: float, invoke_ms: float, scratch: Path) -> list[schema.Operation]:
    count, spent, work = defaultdict[str, int](int), defaultdict[str, float](float), defaultdict[str, int](int)
    cut, file = list(pieces(model)), scratch / "piece.tflite"
    fastest = [float("inf")] * len(cut)
    for _ in range(SWEEPS):
        for i, piece in enumerate(cut):
            file.write_bytes(piece.model)
            fastest[i] = min(fastest[i], _fastest_ms(_bare(file), PIECE_S))
    for piece, ms in zip(cut, fastest, strict=True):
        count[piece.operation] += 1
        spent[piece.operation] += ms
        work[piece.operation] += piece.multiply_adds
    count[AROUND], work[AROUND] = 1, 0
    spent[AROUND] = max(0.0, _fastest_ms(_device_invoke(model), MODEL_S) - invoke_ms)
    return [
        schema.Operation(
            role=role, operation=name, count=count[name], ms=spent[name], multiply_adds=work[name],
            peak_share=work[name] / spent[name] / 1e6 / peak if work[name] else None,
        )
        for name in sorted(spent, key=lambda each: -spent[each])
    ]  # fmt: skip


def _bare(file: Path) -> Step:
    """Return the bare invoke of `file` on one thread of the default runtime."""
    opened: list[Step] = list(tflite_invoke({"path": str(file), "module": AI_EDGE_LITERT.module, "threads": 1}))
    return opened[-1]


def _device_invoke(file: Path) -> Step:
    """Return an invoke as the pipeline does it: uint8 picture in, float32 output out."""
    model = open_runtime(file)
    picture = np.random.default_rng(0).integers(0, 256, model.input_shape, np.uint8)
    return lambda: model.invoke(picture)


def _fastest_ms(step: Step, seconds: float) -> float:
    step()
    times = list[float]()
    until = time.perf_counter() + seconds
    while len(times) < MIN_INVOKES or time.perf_counter() < until:
        started = time.perf_counter()
        step()
        times.append((time.perf_counter() - started) * 1e3)
    return min(times)
