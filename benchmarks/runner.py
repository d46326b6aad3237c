"""Runs a whole benchmark: every part is measured, and a part that fails is noted in the result."""

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from benchmarks import environment, schema
from benchmarks.interleaved import FULL, QUICK, Effort
from benchmarks.peers.segmentation import OTHERS, OURS, measure_segmentation
from benchmarks.peers.training import measure_training
from benchmarks.progress import OnProgress, ignore_progress
from benchmarks.suites.end_to_end import TimedProcessor, drawn_frame, stage_rows
from benchmarks.suites.growth import growth
from benchmarks.suites.levels import LEFT_OUT, Plan, base_level, levels_of, measure_pairs, measure_variants
from benchmarks.suites.live import live_rows
from benchmarks.suites.peak import measure_peak
from benchmarks.suites.startup import measure_start
from device.bundles import shipped_bundle
from smear.bundle.folder import Bundle, load_bundle
from smear.bundle.levels import SLOW
from smear.bundle.manifest import MANIFEST
from smear.classes import LABELS
from smear.errors import SmearscopeError
from smear.images import write_image
from smear.inference.tflite import AI_EDGE_LITERT, AUTOMATIC
from smear.synthetic import render

# For the cameras and for each point of the growth curves, whose largest frames take a second each on a Pi.
GROWTH = {"quick": Effort(64, 1.0, 4, repeats=5), "full": Effort(64, 3.0, 8, repeats=12)}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Options:
    """The settings of a benchmark; None means everything there is."""

    mode: Literal["quick", "full"]
    levels: tuple[str, ...] | None = None
    runtimes: tuple[str, ...] | None = None
    threads: tuple[int, ...] | None = None
    bundle: Path | None = None
    reference: Path | None = None
    peers: Path | None = None  # folder of environments


def run(options: Options, on_progress: OnProgress = ignore_progress) -> schema.Result:
    """Measure everything that `options` select.

    Raises:
        BundleError: the bundle cannot be used.
        BenchmarkError: a selected level or runtime does not exist.
    """
    bundle = load_bundle(options.bundle or shipped_bundle())
    effort = FULL if options.mode == "full" else QUICK
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="smearscope-bench-") as folder:
        scratch = Path(folder)
        plan, versions = make_plan(options, bundle, scratch)
        monitor, before = environment.LoadMonitor(), environment.read_board()
        parts, torch = _Parts(), _peer(options, "torch")
        pairs = parts.take("end to end", lambda: measure_pairs(plan, effort, on_progress))
        variants = parts.take("bare inference", lambda: measure_variants(plan, effort, on_progress))
        engines = {"Keras": _keras(), "PyTorch": torch}
        training = parts.take("training step", lambda: measure_training(engines, options.mode, on_progress))
        programs = {OURS: Path(sys.executable)} | {name: _peer(options, name) for name in OTHERS}
        segmentation = parts.take("segmentation", lambda: measure_segmentation(plan, programs, effort, on_progress))
        peak = parts.take("peak", lambda: measure_peak(bundle, plan.levels, scratch, torch, on_progress))
        device = _device(plan, options.mode, effort, parts, on_progress)
        after = environment.read_board()
    return schema.Result(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        mode=options.mode,
        environment=environment.environment(bundle, before, after, versions, monitor.others_busy()),
        variants=tuple(variants or ()),
        pairs=tuple(pairs or ()),
        training=tuple(training or ()),
        segmentation=tuple(segmentation or ()),
        peak=peak,
        left_out=LEFT_OUT if plan.brief else (),
        seconds=time.monotonic() - began,
        faults=tuple(parts.faults),
        **device,
    )


class _Parts:
    """Measures one part after the other; a part that fails is noted, and the others are still measured."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def take(self, name: str, part: Callable[[], T]) -> T | None:
        """Return the result of `part`; None where it fails."""
        try:
            return part()
        except (SmearscopeError, OSError, ValueError, RuntimeError, ImportError) as error:
            self.faults.append(f"{name}: {' '.join(str(error).split())[:300] or type(error).__name__}")
            return None


def _device(plan: Plan, mode: str, effort: Effort, parts: _Parts, on_progress: OnProgress) -> dict[str, Any]:
    """Measure the device end to end in this process, at `base_level` on one thread of the default runtime."""
    on_progress("stages of a frame", 0.0)
    bundle, level, scratch = plan.bundle, base_level(plan.levels), plan.scratch
    field = np.load(plan.frames)[0]
    picture = scratch / "picture" / "field.png"
    picture.parent.mkdir()
    write_image(picture, field)
    (scratch / "fields").mkdir()
    processor = TimedProcessor(bundle, level, effort)
    with closing(processor):
        stages = parts.take("stages", lambda: stage_rows(processor, field))
        processor.effort = GROWTH[mode]
        live = parts.take("capture to screen", lambda: live_rows(processor, drawn_frame(), scratch, on_progress))
        curves = parts.take("growth", lambda: growth(processor, mode, scratch, on_progress))
        start = parts.take("start", lambda: measure_start(bundle, level, picture, mode, on_progress))
    return {"stages": tuple(stages or ()), "live": tuple(live or ()), "growth": tuple(curves or ()), "start": start}


def make_plan(options: Options, bundle: Bundle, scratch: Path) -> tuple[Plan, dict[str, str]]:
    """Return what to measure of `bundle`, and the versions of runtimes in other environments.

    Raises:
        BenchmarkError: a selected level or runtime does not exist.
    """
    present = levels_of(bundle)
    wanted = options.levels or tuple(level for level in present if level not in SLOW) or present
    levels = tuple(level for level in present if level in wanted)
    missing = [level for level in options.levels or () if level not in present]
    if missing or not levels:
        names = ", ".join(missing) or "level"
        raise schema.BenchmarkError(f"bundle {bundle.path}: no {names} for a CPU; choose from {', '.join(present)}")
    runtimes, refused, versions = _runtimes(options)
    cpus = os.cpu_count() or 1
    threads = options.threads or ((1,) if options.mode == "quick" or cpus == 1 else (1, cpus))
    frames = scratch / "frames.npy"
    np.save(frames, np.stack([render(label, seed).image for seed, label in enumerate(LABELS)]))
    plan = Plan(
        bundle=bundle,
        reference=None if options.reference is None else open_reference(options.reference, scratch),
        levels=levels,
        runtimes=runtimes,
        threads=threads,
        frames=frames,
        refused=refused,
        brief=options.mode == "full" and options.levels is None and options.runtimes is None,
        scratch=scratch,
    )
    return plan, versions


def _runtimes(options: Options) -> tuple[dict[str, Path], dict[str, str], dict[str, str]]:
    """Return interpreter by runtime, why a runtime is missing, and the version of each."""
    found, refused, versions = dict[str, Path](), dict[str, str](), dict[str, str]()
    for kind in AUTOMATIC:
        runtime = kind.name
        if options.runtimes is not None and runtime not in options.runtimes:
            continue
        python = (_peer(options, "tflite") if kind is not AI_EDGE_LITERT else None) or Path(sys.executable)
        version = _version(python, kind.module.split(".")[0], runtime)
        if version is None:
            how = "make bench, or give --peers" if kind is not AI_EDGE_LITERT else kind.advice
            refused[runtime] = f"not installed for {python.name}; {how}"
            continue
        found[runtime] = python
        versions[runtime] = version
    if not found:
        raise schema.BenchmarkError(f"no runtime to measure ({'; '.join(refused.values())})")
    return found, refused, versions


def _keras() -> Path | None:
    """Return this interpreter if it can train; found out without imports, which take seconds."""
    installed = all(importlib.util.find_spec(name) for name in ("keras", "tensorflow", "train"))
    return Path(sys.executable) if installed else None


def _peer(options: Options, name: str) -> Path | None:
    """Return the interpreter of the environment of a peer, None where it is missing."""
    python = (options.peers or Path()).absolute() / f".venv-{name}" / "bin" / "python"
    return python if options.peers and python.is_file() else None


def _version(python: Path, module: str, distribution: str) -> str | None:
    code = f"import importlib.metadata as m, {module}; print(m.version({distribution!r}))"
    try:
        done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    except OSError as error:
        raise schema.BenchmarkError(f"{python}: {error.strerror}; give the interpreter of an environment") from error
    return done.stdout.strip() if done.returncode == 0 else None


def open_reference(path: Path, scratch: Path) -> Bundle:
    """Open the reference, a bundle or a training run that is converted first.

    Raises:
        BenchmarkError: it is neither, or cannot be converted.
    """
    if (path / MANIFEST).is_file():
        return load_bundle(path)
    if not (path / "run.json").is_file():
        raise schema.BenchmarkError(f"{path}: neither a bundle nor a training run; give a folder of either")
    out = scratch / "reference"
    command = [sys.executable, "-m", "device", "convert", str(path), "--out", str(out)]
    command += ["--reference", "--levels", "float32,int8"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not (out / MANIFEST).is_file():
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise schema.BenchmarkError(f"{path}: not converted ({reason}); convert it first and give the bundle")
    return load_bundle(out)
