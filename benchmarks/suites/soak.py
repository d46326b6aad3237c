"""Runs the device as a user does for thousands of fields, and watches what it holds: memory, descriptors, threads."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.schema import BenchmarkError
from device.session.control_server import ask
from smear.errors import SmearscopeError

WARM = 1000  # fields until caches are full: growth counts from here on
GROWTH_MB = 5.0  # allowed from there to the end
RESIDENT_MB = 200.0  # allowed at any time
_LOOK_S = 2.0
_END_S = 30.0
MB = 2**20


@dataclass(frozen=True, slots=True)
class Look:
    """What the process held at one moment."""

    fields: int
    seconds: float
    rss_mb: float
    descriptors: int
    threads: int


@dataclass(frozen=True, slots=True)
class Soak:
    """A whole run."""

    looks: tuple[Look, ...]
    fields_asked: int
    peak_mb: float  # the kernel's own high-water mark
    exit_code: int | None

    @property
    def warm(self) -> tuple[Look, ...]:
        """The looks after the caches were full; all of a run too short for that."""
        return tuple(look for look in self.looks if look.fields >= WARM) or self.looks

    @property
    def growth_mb(self) -> float:
        """How much more the last tenth holds than the first tenth after `WARM` fields, by the median of each.

        A single look would tell where in a field it fell: a picture being drawn holds 30 MB for a moment.
        """
        rss = [look.rss_mb for look in self.warm]
        part = max(1, len(rss) // 10)
        return _median(rss[-part:]) - _median(rss[:part])

    @property
    def descriptors_gained(self) -> int:
        """How many more descriptors the last tenth holds at least, than the first tenth.

        A file that is being written is open for a moment; what leaks stays open.
        """
        counts = [look.descriptors for look in self.warm]
        part = max(1, len(counts) // 10)
        return min(counts[-part:]) - min(counts[:part])

    def faults(self) -> list[str]:
        """Return which limits were not kept, in words."""
        said = []
        if self.exit_code != 0:
            said.append(f"the run ended with code {self.exit_code}")
        if self.growth_mb >= GROWTH_MB:
            said.append(f"memory grew by {self.growth_mb:.1f} MB, allowed less than {GROWTH_MB:g}")
        if self.descriptors_gained > 0:
            said.append(f"{self.descriptors_gained} more descriptors are open")
        if self.peak_mb > RESIDENT_MB:
            said.append(f"{self.peak_mb:.0f} MB were resident, allowed {RESIDENT_MB:g}")
        return said


def soak(fields: int, words: tuple[str, ...], folder: Path, say: Callable[[Look], None]) -> Soak:
    """Run `smearscope run` with `words` for `fields` fields, recording into `folder`, and look every two seconds.

    Raises:
        BenchmarkError: it did not start.
    """
    data = folder / "data"
    command = [sys.executable, "-m", "device", "run", "--display", "none", "--data", str(data), "--fields", str(fields)]
    with (
        (folder / "run.log").open("wb") as log,
        _ended(subprocess.Popen([*command, *words], stdout=log, stderr=log)) as run,
    ):
        process, looks, peak_mb, began = psutil.Process(run.pid), list[Look](), 0.0, time.monotonic()
        while True:
            try:
                run.wait(_LOOK_S)
                break
            except subprocess.TimeoutExpired:
                peak_mb = max(peak_mb, _high_water_mb(run.pid))
                look = _look(process, data, time.monotonic() - began)
            if look is not None:
                looks.append(look)
                say(look)
    if not looks:
        raise BenchmarkError(f"nothing was examined: {(folder / 'run.log').read_text(errors='replace')[-500:]}")
    return Soak(tuple(looks), fields, peak_mb, run.returncode)


@contextmanager
def _ended(run: "subprocess.Popen[bytes]") -> Iterator["subprocess.Popen[bytes]"]:
    """End the run however this ends."""
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


def _look(process: psutil.Process, data: Path, seconds: float) -> Look | None:
    """Ask the run how far it is, and the kernel what it holds; None before it answers or after it ended."""
    try:
        told = ask(data, "status", only=True)
        if told is None:
            return None
        with process.oneshot():
            rss, threads = process.memory_info().rss, process.num_threads()
        return Look(int(told["fields"]), seconds, rss / MB, process.num_fds(), threads)
    except (SmearscopeError, psutil.Error, OSError):
        return None


def _high_water_mb(pid: int) -> float:
    """Return the most that was resident, as Linux keeps it; 0 once the process is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0.0)


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def table(found: Soak) -> Table:
    """Return a line for each twentieth of the run."""
    lines = Table("fields", "minutes", "resident MB", "descriptors", "threads")
    for look in found.looks[:: max(1, len(found.looks) // 20)]:
        lines.add_row(
            str(look.fields), f"{look.seconds / 60:.1f}", f"{look.rss_mb:.1f}", str(look.descriptors), str(look.threads)
        )
    return lines


@click.command("soak")
@click.option("--fields", default=20_000, show_default=True, type=click.IntRange(1), help="How many to examine.")
@click.option("--camera", default="simulated:", show_default=True, metavar="NAME", help="As of `smearscope run`.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="JSON file for every look.")
@click.pass_context
def command(ctx: click.Context, fields: int, camera: str, out: Path | None) -> None:
    """Run the device for thousands of fields and watch its memory and descriptors. Ends with code 3 over a limit."""
    console = Console(stderr=True)
    said = [0.0]

    def say(look: Look) -> None:
        if look.seconds - said[0] > 60:
            said[0] = look.seconds
            console.print(f"{look.fields} of {fields} fields, {look.rss_mb:.1f} MB", highlight=False)

    with tempfile.TemporaryDirectory(prefix="smearscope-soak-") as folder:
        found = soak(fields, ("--camera", camera), Path(folder), say)
    if out is not None:
        out.write_text(json.dumps(asdict(found), indent=1), encoding="utf-8")
    Console().print(table(found))
    last = found.looks[-1]
    click.echo(
        f"{last.fields} fields in {last.seconds / 60:.1f} min; after the first {found.warm[0].fields} "
        f"memory grew by {found.growth_mb:+.1f} MB (allowed < {GROWTH_MB:g}), "
        f"descriptors by {found.descriptors_gained:+d}; "
        f"at most {found.peak_mb:.1f} MB resident (allowed {RESIDENT_MB:g})"
    )
    faults = found.faults()
    for fault in faults:
        click.echo(f"smearscope: {fault}", err=True)
    if faults:
        ctx.exit(3)
