"""Finds the level and the number of threads that are the fastest on this machine, by a short measurement."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.environment import LoadMonitor, disturbances, read_board
from benchmarks.interleaved import ROOT, Effort, Measured, Spec, measure, ratio_of
from benchmarks.progress import OnProgress
from benchmarks.schema import BenchmarkError
from benchmarks.suites.levels import levels_of
from device.model_pick import HOW, UNMEASURED, Figure, Pick, machine
from device.settings import Settings
from smear.bundle.levels import SLOW
from smear.bundle.signing import load_signed_bundle
from smear.classes import LABELS
from smear.inference.proof import Use, prove
from smear.synthetic import render

EFFORT = Effort(queries=60, seconds=4.0, burst=4)
MOST_THREADS = 4  # of a Pi; the networks are too small to keep more busy


def measure_pick(path: Path, settings: Settings, on_progress: OnProgress) -> Pick:
    """Measure the levels that the bundle in `path` has proven, each with one thread and with all processors.

    Raises:
        BenchmarkError: the machine is busy, before or meanwhile, or nothing could be measured.
        BundleError: the bundle is damaged, not signed as wanted, or answers otherwise than it should here.
    """
    bundle = load_signed_bundle(path, settings.model.require_signature)
    before, monitor = read_board(), LoadMonitor()
    cpus = os.cpu_count() or 1
    _require_quiet(disturbances(before, before, cpus))
    levels = sorted(set(levels_of(bundle)) - SLOW, key=lambda level: (level != UNMEASURED[0], level))
    if not levels:
        raise BenchmarkError(f"bundle {path}: it has no level for a CPU; install another bundle")
    prove(bundle, Use(level=levels[0], runtime=settings.model.runtime), every_level=True)
    combinations = [(level, threads) for level in levels for threads in sorted({1, min(cpus, MOST_THREADS)})]
    with tempfile.TemporaryDirectory(prefix="smearscope-pick-") as folder:
        frames = Path(folder, "frames.npy")
        np.save(frames, np.stack([render(label, seed).image for seed, label in enumerate(LABELS)]))
        request = {
            "path": str(bundle.path), "runtime": settings.model.runtime, "root": str(ROOT), "frames": str(frames),
            "pixel_size_um": None,
        }  # fmt: skip
        specs = [
            Spec(f"{level}/{threads}", "pipeline", request | {"level": level, "threads": threads})
            for level, threads in combinations
        ]
        found = measure(specs, EFFORT, on_progress)
    _require_quiet(disturbances(before, read_board(), cpus, monitor.others_busy()))
    return choose(bundle.sha256, combinations, {pair: found[f"{pair[0]}/{pair[1]}"] for pair in combinations})


def choose(bundle_sha256: str, pairs: list[tuple[str, int]], found: Mapping[tuple[str, int], Measured]) -> Pick:
    """Return the fastest of `pairs` of level and threads; the first stays unless another is surely faster.

    Raises:
        BenchmarkError: one of them could not be measured.
    """
    figures = []
    for pair in pairs:
        ratio = ratio_of(found[pair], found[pairs[0]], "the first")
        if ratio is None:
            raise BenchmarkError(f"{pair[0]} with {pair[1]} threads was not measured ({found[pair].fault}); {HOW}")
        ms = float(np.median(found[pair].times))
        figures.append(Figure(level=pair[0], threads=pair[1], ms=ms, ratio=(ratio.value, ratio.low, ratio.high)))
    faster = [each for each in figures if each.ratio[2] < 1]
    best = min(faster, key=lambda each: each.ratio[0], default=figures[0])
    return Pick(
        bundle_sha256=bundle_sha256, machine=machine(), level=best.level, threads=best.threads, figures=tuple(figures)
    )


def _require_quiet(disturbed: tuple[str, ...]) -> None:
    if disturbed:
        raise BenchmarkError(f"nothing was picked: {'; '.join(disturbed)}")
