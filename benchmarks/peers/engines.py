"""Measures the same work in several engines in turn, each in an interpreter of its own, which may be missing."""

from pathlib import Path
from typing import Any

from benchmarks.interleaved import ROOT, Effort, Spec, measure, row_values
from benchmarks.progress import OnProgress

Pythons = dict[str, Path | None]
"""The interpreter of each engine, None where it is missing."""


def measure_engines(
    module: str, pythons: Pythons, request: dict[str, Any], advice: dict[str, str], effort: Effort, progress: OnProgress
) -> dict[str, dict[str, Any]]:
    """Return by engine what its row states of the step that `module` opens for it; ratios are to the first engine.

    Where an interpreter is missing the row says so, with `advice`.
    """
    shared = {**request, "module": module, "root": str(ROOT)}
    specs = [Spec(name, "engine", {**shared, "engine": name}, python) for name, python in pythons.items() if python]
    found = measure(specs, effort, progress)
    base = next(iter(pythons))
    return {
        name: row_values(found, name, base) if python else {"fault": f"{name} is not installed; {advice[name]}"}
        for name, python in pythons.items()
    }
