"""Times `smearscope analyze --out` over a whole archive: pictures and bytes a second, and what more workers add."""

import json
import os
import subprocess
import sys
import time
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

import numpy as np

from benchmarks.interleaved import ROOT, Measured, ratio_of
from benchmarks.progress import OnProgress
from benchmarks.schema import BenchmarkError
from device.archive.manifest import ENDING
from smear.classes import LABELS
from smear.images import encode, walk_pictures
from smear.synthetic import render

ANALYZE = (sys.executable, "-m", "device", "analyze")
DRAWN = 25  # fields; the other pictures of an archive are these, moved sideways
LEAST_OF_TWO = 1.85  # times as fast as one


@dataclass(frozen=True, slots=True)
class Throughput:
    """Whole runs with one number of workers, from the command to the written results; medians over the rounds."""

    workers: int
    pictures_per_s: float
    megabytes_per_s: float  # of the pictures' files, which lie in the system's cache
    cpu_ms: float  # processor time a picture, of all processes
    pipeline_ms: float  # a picture's time inside the frame processor, as each result states it
    efficiency: tuple[float, float, float]  # rate(n) / (n rate(1)), and its 95 % interval

    def __str__(self) -> str:
        value, low, high = self.efficiency
        return (
            f"workers: {self.workers}, pictures a second: {self.pictures_per_s:.1f} ({self.megabytes_per_s:.2f} MB), "
            f"efficiency {value:.2f} ({low:.2f} to {high:.2f}); a picture takes {self.cpu_ms:.1f} ms of processor time "
            f"and {self.pipeline_ms:.1f} ms in the pipeline"
        )

    def faults(self) -> list[str]:
        """Return the limit that was missed, as a sentence."""
        times = 2 * self.efficiency[0]
        missed = self.workers == 2 and times < LEAST_OF_TWO
        return [f"two workers are {times:.2f} times as fast as one, at least {LEAST_OF_TWO} wanted"] if missed else []


def draw_archive(folder: Path, pictures: int, on_progress: OnProgress) -> None:
    """Write so many fields of 224x224 pixels into `folder`, each with a content of its own."""
    folder.mkdir()
    drawn = [render(LABELS[i % len(LABELS)], i).image for i in range(min(DRAWN, pictures))]
    for i in range(pictures):
        on_progress(f"drawing {pictures} pictures", i / pictures)
        image = np.roll(drawn[i % len(drawn)], i // len(drawn), axis=1)
        (folder / f"{i:06d}.jpg").write_bytes(encode(image, ".jpg"))


def measure_archive(
    command: Sequence[str], folder: Path, workers: Sequence[int], rounds: int, scratch: Path, on_progress: OnProgress
) -> list[Throughput]:
    """Examine the pictures in `folder` with each number of `workers` in turn, so many rounds, three at least.

    `command` is `ANALYZE` with the options that choose the model.

    Raises:
        BenchmarkError: there is no picture, or a run did not give a result for each.
    """
    sizes = [path.stat().st_size for path in walk_pictures(folder, Counter(), [])]
    if not sizes:
        raise BenchmarkError(f"{folder}: no picture in it; name another folder, or none to draw an archive")
    found: dict[int, list[tuple[float, float, float]]] = defaultdict(list)
    order = deque(sorted({1, *workers}))
    for turn in range(rounds):
        for i, n in enumerate(order):
            on_progress(f"{len(sizes)} pictures, workers: {n}", (turn + i / len(order)) / rounds)
            out = scratch / "results.jsonl"
            found[n].append(_run([*command, "--workers", str(n), "--out", str(out), str(folder)], out, len(sizes)))
        order.rotate()  # no number always follows the same one
    one = Measured(rounds=[[seconds] for seconds, _, _ in found[1]])
    rows = []
    for n, runs in sorted(found.items()):
        seconds, cpu_s, pipeline_ms = (median(each) for each in zip(*runs, strict=True))
        ratio = ratio_of(one, Measured(rounds=[[took] for took, _, _ in runs]), f"{n} workers")
        assert ratio is not None
        rates = len(sizes) / seconds, sum(sizes) / seconds / 1e6
        efficiency = (ratio.value / n, ratio.low / n, ratio.high / n)
        rows.append(Throughput(n, *rates, cpu_s / len(sizes) * 1e3, pipeline_ms, efficiency))
    return rows


def _run(command: list[str], out: Path, pictures: int) -> tuple[float, float, float]:
    """Return the seconds and seconds of processor time of a run, and its mean milliseconds in the pipeline."""
    began, before = time.perf_counter(), os.times()
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    seconds, after = time.perf_counter() - began, os.times()
    times = [json.loads(line)["total_ms"] for line in out.read_text().splitlines()] if out.is_file() else []
    for path in (out, out.with_name(out.name + ENDING)):
        path.unlink(missing_ok=True)
    if done.returncode != 0 or len(times) != pictures:
        reason = done.stderr.strip()[-200:] or "no reason given"
        raise BenchmarkError(f"analyze: {len(times)} results of {pictures} pictures ({reason}); run it alone")
    return seconds, sum(after[2:4]) - sum(before[2:4]), fmean(times)
