"""Runs the device as a user does for thousands of fields, and watches its memory, file descriptors and threads."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median_high
from typing import Any

import psutil

from benchmarks.progress import OnProgress
from benchmarks.schema import BenchmarkError
from device.control.client import ask
from smear.errors import SmearscopeError

WARM = 1000  # fields until caches are full: growth counts from here on
GROWTH_MB = 5.0  # allowed from there to the end
RESIDENT_MB = 200.0  # allowed at any time
_SAMPLE_S = 2.0  # between samples
_END_S = 30.0  # for the run to end after SIGTERM
MB = 2**20


@dataclass(frozen=True, slots=True)
class Sample:
    """What the process held at one moment."""

    fields: int
    seconds: float
    rss_mb: float
    descriptors: int
    threads: int


@dataclass(frozen=True, slots=True)
class Soak:
    """A whole run."""

    samples: tuple[Sample, ...]
    fields_asked: int
    peak_mb: float  # the kernel's own high-water mark
    exit_code: int | None

    @property
    def warm(self) -> tuple[Sample, ...]:
        """The samples after the caches were full; all samples of a run too short for that."""
        return tuple(sample for sample in self.samples if sample.fields >= WARM) or self.samples

    @property
    def growth_mb(self) -> float:
        """Growth of the median of the last tenth over that of the first tenth after `WARM` fields.

        A single sample depends on when it was taken: a screen being drawn holds 30 MB for a moment.
        """
        rss = [sample.rss_mb for sample in self.warm]
        part = max(1, len(rss) // 10)
        return median_high(rss[-part:]) - median_high(rss[:part])

    @property
    def descriptors_gained(self) -> int:
        """Growth of the minimum of the last tenth over that of the first tenth.

        A file that is being written is open for a moment; a leaked one stays open.
        """
        counts = [sample.descriptors for sample in self.warm]
        part = max(1, len(counts) // 10)
        return min(counts[-part:]) - min(counts[:part])

    def faults(self) -> list[str]:
        """Return the limits that were exceeded, as sentences."""
        found = []
        if self.exit_code != 0:
            found.append(f"the run ended with code {self.exit_code}")
        if self.growth_mb >= GROWTH_MB:
            found.append(f"memory grew by {self.growth_mb:.1f} MB, allowed less than {GROWTH_MB:g}")
        if self.descriptors_gained > 0:
            found.append(f"{self.descriptors_gained} more descriptors are open")
        if self.peak_mb > RESIDENT_MB:
            found.append(f"{self.peak_mb:.0f} MB were resident, allowed {RESIDENT_MB:g}")
        return found

    def as_json(self) -> dict[str, Any]:
        """Return everything measured, with the keys of the JSON file."""
        values = asdict(self)
        return {"looks": values.pop("samples"), **values}


def run_soak(fields: int, arguments: tuple[str, ...], folder: Path, on_progress: OnProgress) -> Soak:
    """Run `smearscope run` with `arguments` for `fields` fields into `folder`, and take a sample every two seconds.

    Raises:
        BenchmarkError: it did not start.
    """
    data = folder / "data"
    command = [sys.executable, "-m", "device", "run", "--display", "none", "--data", str(data), "--fields", str(fields)]
    with (
        (folder / "run.log").open("wb") as log,
        ended(subprocess.Popen([*command, *arguments], stdout=log, stderr=log)) as run,
    ):
        process, samples, peak_mb, began = psutil.Process(run.pid), list[Sample](), 0.0, time.monotonic()
        while True:
            try:
                run.wait(_SAMPLE_S)
                break
            except subprocess.TimeoutExpired:
                peak_mb = max(peak_mb, _high_water_mb(run.pid))
                sample = _sample(process, data, time.monotonic() - began)
            if sample is not None:
                samples.append(sample)
                on_progress(f"{sample.fields} of {fields} fields, {sample.rss_mb:.1f} MB", sample.fields / fields)
    if not samples:
        raise BenchmarkError(f"no field was examined: {(folder / 'run.log').read_text(errors='replace')[-500:]}")
    return Soak(tuple(samples), fields, peak_mb, run.returncode)


@contextmanager
def ended(run: "subprocess.Popen[bytes]") -> Iterator["subprocess.Popen[bytes]"]:
    """Yield `run`, and end it afterwards whatever happens."""
    try:
        yield run
    finally:
        if run.poll() is None:
            run.terminate()
            try:
                run.wait(_END_S)
            except subprocess.TimeoutExpired:
                run.kill()
                run.wait()


def _sample(process: psutil.Process, data: Path, seconds: float) -> Sample | None:
    """Ask the run for its progress and the kernel for its memory; None before it answers or after it ended."""
    try:
        status = ask(data, "status", only=True)
        if status is None:
            return None
        with process.oneshot():
            rss, threads = process.memory_info().rss, process.num_threads()
        return Sample(int(status["fields"]), seconds, rss / MB, process.num_fds(), threads)
    except (SmearscopeError, psutil.Error, OSError):
        return None


def _high_water_mb(pid: int) -> float:
    """Return the most that was resident, as Linux keeps it; 0 once the process is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0.0)
