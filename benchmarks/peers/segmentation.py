"""Measures the programs that others segment cells with beside ours, on the same fields, in turn."""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import schema
from benchmarks.interleaved import ROOT, Effort, Spec, measure, row_values
from benchmarks.peers.segmentation_steps import ENGINES
from benchmarks.progress import OnProgress
from benchmarks.suites.levels import Plan, base_level
from smear.classes import LABELS
from smear.synthetic import render

OURS = "smearscope"
HOW_TO_INSTALL = "make bench PEERS=1, or an environment of its own and --peers"


def measure_segmentation(
    plan: Plan, peers: Path | None, effort: Effort, on_progress: OnProgress
) -> list[schema.Segmentation]:
    """Measure each program from a field of 224x224 pixels to numbered cells, on as many threads as ours.

    `peers` is the folder that holds .venv-scikit-image and the like; what is missing there is a row that says so.
    """
    drawn = [render(label, seed).cells for seed, label in enumerate(LABELS)]  # in the fields of the plan
    cells = plan.scratch / "cells.npy"
    np.save(cells, np.stack(drawn))
    request = {
        "module": "benchmarks.peers.segmentation_steps", "root": str(ROOT), "threads": plan.threads[0],
        "fields": str(plan.frames), "cells": str(cells), "bundle": str(plan.bundle.path),
        "level": base_level(plan.levels), "runtime": next(iter(plan.runtimes)),
    }  # fmt: skip
    facts, specs = list[dict[str, Any]](), list[Spec]()
    for engine in ENGINES:
        python = Path(sys.executable) if engine == OURS else _python(peers, engine)
        key = f"segmentation/{engine}/{plan.threads[0]}"
        fault = "" if python else f"{engine} is not installed; {HOW_TO_INSTALL}"
        facts.append({"key": key, "engine": engine, "fault": fault})
        if python:
            specs.append(Spec(key, "engine", request | {"engine": engine}, python))
    found = measure(specs, effort, on_progress)
    values = [
        each | (row_values(found, each["key"], facts[0]["key"]) if each["key"] in found else {}) for each in facts
    ]
    return [schema.Segmentation(**each, cells_drawn=sum(int(field.max()) for field in drawn)) for each in values]


def _python(peers: Path | None, engine: str) -> Path | None:
    python = None if peers is None else peers.absolute() / f".venv-{engine}" / "bin" / "python"
    return python if python and python.is_file() else None
