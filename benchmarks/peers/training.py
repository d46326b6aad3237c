"""Measures one training step in Keras, as `smearscope train` runs it, and of the same network in PyTorch, in turn."""

import os

from benchmarks import schema
from benchmarks.interleaved import Effort
from benchmarks.peers.engines import Pythons, measure_engines
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
    "PyTorch": "make bench TORCH=1, or an environment of its own and --peers",
}


def measure_training(pythons: Pythons, mode: str, on_progress: OnProgress) -> list[schema.Step]:
    """Measure one step of each engine on all processors."""
    threads = os.cpu_count() or 1
    request = {"batch": BATCH, "threads": threads}
    found = measure_engines(MODULE, pythons, request, HOW_TO_INSTALL, EFFORTS[mode], on_progress)
    return [
        schema.Step(
            key=f"training/{NETWORK}/{engine}/{BATCH}/{threads}", network=NETWORK, engine=engine, batch=BATCH,
            threads=threads, **values,
        )
        for engine, values in found.items()
    ]  # fmt: skip
