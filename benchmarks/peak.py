"""How fast this machine multiplies, what the models reach of it, and which operations take the rest."""

import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import schema
from benchmarks.graph import matrix_product, pieces
from benchmarks.models import ROLES, base_level
from benchmarks.rig import Effort
from device.runtimes import DEFAULT_RUNTIME
from smear.bundle import Bundle

SIZE = 512  # of the square product: its sides fit the second-level cache of a Pi 4 (1 MB) in int8
PEAK_TIMES = 30
_MIN_S = 0.01  # of one timing: shorter than a time slice of the scheduler, long enough for the clock


def measure_peak(
    bundle: Bundle, levels: tuple[str, ...], variants: list[schema.Variant], effort: Effort, scratch: Path
) -> schema.Peak:
    """Measure a plain matrix product on one thread, and each operation of the bundle's int8 models alone."""
    speeds = {}
    for quantized in (True, False):
        file = scratch / f"product-{quantized}.tflite"
        file.write_bytes(matrix_product(SIZE, quantized))
        speeds[quantized] = SIZE**3 / min(_times(file, PEAK_TIMES)) / 1e6  # the fastest: a peak is what was reached
    level = base_level(levels)
    peak = speeds[level == "int8"]
    bare = {v.role: v for v in variants if v.key.endswith(f"/{level}/{DEFAULT_RUNTIME}/1") and v.pair == "bundle"}
    return schema.Peak(
        int8_gmacs=speeds[True],
        float32_gmacs=speeds[False],
        level=level,
        reached={role: v.gmacs / peak for role, v in bare.items() if v.gmacs},
        operations=tuple(
            operation for role in ROLES for operation in _operations(bundle, role, level, peak, effort, scratch)
        ),
    )


def _operations(
    bundle: Bundle, role: Any, level: str, peak: float, effort: Effort, scratch: Path
) -> list[schema.Operation]:
    count, spent, work = defaultdict[str, int](int), defaultdict[str, float](float), defaultdict[str, int](int)
    file = scratch / "piece.tflite"
    for piece in pieces(bundle.model(role, level)):
        file.write_bytes(piece.model)
        count[piece.operation] += 1
        spent[piece.operation] += float(np.median(_times(file, effort.repeats)))
        work[piece.operation] += piece.multiply_adds
    return [
        schema.Operation(
            role=role, operation=name, count=count[name], ms=spent[name], multiply_adds=work[name],
            peak_share=work[name] / spent[name] / 1e6 / peak if work[name] else None,
        )
        for name in sorted(spent, key=lambda each: -spent[each])
    ]  # fmt: skip


def _times(file: Path, repeats: int) -> list[float]:
    """Return `repeats` times the milliseconds of one invoke of `file` on one thread of the default runtime."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(file), num_threads=1)
    interpreter.allocate_tensors()
    rng = np.random.default_rng(0)
    for given in interpreter.get_input_details():
        kind = np.dtype(given["dtype"])
        values = rng.random(given["shape"]) if kind.kind == "f" else rng.integers(-100, 100, given["shape"])
        interpreter.set_tensor(given["index"], np.asarray(values, kind))
    interpreter.invoke()
    loops, spent = 1, 0.0
    while spent < _MIN_S:
        started = time.perf_counter()
        for _ in range(loops):
            interpreter.invoke()
        spent = time.perf_counter() - started
        loops = loops if spent >= _MIN_S else max(2 * loops, int(1.2 * loops * _MIN_S / max(spent, 1e-6)))
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        for _ in range(loops):
            interpreter.invoke()
        times.append((time.perf_counter() - started) * 1e3 / loops)
    return times
