"""Measures the programs that others segment cells with beside ours, on the same fields, in turn."""

import numpy as np

from benchmarks import schema
from benchmarks.interleaved import Effort
from benchmarks.peers.engines import Pythons, measure_engines
from benchmarks.progress import OnProgress
from benchmarks.suites.levels import Plan, base_level
from smear.classes import LABELS
from smear.synthetic import render

OURS, OTHERS = "smearscope", ("scikit-image", "stardist", "cellpose")
MODULE = "benchmarks.peers.segmentation_steps"


def measure_segmentation(
    plan: Plan, pythons: Pythons, effort: Effort, on_progress: OnProgress
) -> list[schema.Segmentation]:
    """Measure each program from a field of 224x224 pixels to numbered cells; `OURS` is the first of `pythons`."""
    drawn = [render(label, seed).cells for seed, label in enumerate(LABELS)]  # in the fields of the plan
    cells, threads = plan.scratch / "cells.npy", plan.threads[0]
    np.save(cells, np.stack(drawn))
    request = {
        "threads": threads, "fields": str(plan.frames), "cells": str(cells), "bundle": str(plan.bundle.path),
        "level": base_level(plan.levels), "runtime": next(iter(plan.runtimes)),
    }  # fmt: skip
    advice = dict.fromkeys(OTHERS, "make bench PEERS=1, or an environment of its own and --peers")
    number = sum(int(each.max()) for each in drawn)
    return [
        schema.Segmentation(key=f"segmentation/{engine}/{threads}", engine=engine, cells_drawn=number, **values)
        for engine, values in measure_engines(MODULE, pythons, request, advice, effort, on_progress).items()
    ]
