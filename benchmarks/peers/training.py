"""Measures one training step in Keras, as `smearscope train` runs it, and of the same network in PyTorch, in turn."""

import os
from pathlib import Path
from typing import Any

from benchmarks import schema
from benchmarks.interleaved import ROOT, Effort, Spec, measure, row_values
from benchmarks.progress import OnProgress

BATCH = 16  # of the paper, and of our whole-field networks
NETWORK = "paper_cnn"
MODULE = "benchmarks.peers.training_steps"
# A step takes most of a second on two processors: a thousand would take longer than everything else.
EFFORTS = {
    "quick": Effort(queries=4, seconds=6.0, burst=1, warm_s=0.5),
    "full": Effort(queries=32, seconds=10.0, burst=1, warm_s=0.5),
}
HOW_TO_INSTALL = {
    "Keras": "pip install 'smearscope[train]'",
    "PyTorch": "make bench TORCH=1, or pip install torch in an environment of its own and --torch-python",
}


def measure_training(pythons: dict[str, Path | None], mode: str, on_progress: OnProgress) -> list[schema.Step]:
    """Measure one step of each engine on all processors; `pythons` has its interpreter, None where it is missing."""
    threads = os.cpu_count() or 1
    rows, specs = list[schema.Step](), list[Spec]()
    for engine, python in pythons.items():
        key = f"training/{NETWORK}/{engine}/{BATCH}/{threads}"
        fault = "" if python else f"{engine} is not installed; {HOW_TO_INSTALL[engine]}"
        rows.append(schema.Step(key=key, network=NETWORK, engine=engine, batch=BATCH, threads=threads, fault=fault))
        if python:
            request = {"engine": engine, "module": MODULE, "batch": BATCH, "threads": threads, "root": str(ROOT)}
            specs.append(Spec(key, "engine", request, python))
    found = measure(specs, EFFORTS[mode], on_progress)
    base = next((key for key in found if "/Keras/" in key), "")
    return [row if row.fault else _with_times(row, row_values(found, row.key, base)) for row in rows]


def _with_times(row: schema.Step, values: dict[str, Any]) -> schema.Step:
    return row.model_copy(update={name: value for name, value in values.items() if name in schema.Step.model_fields})
