"""Describes the machine of a result, and whether other processes disturbed the measurement."""

import importlib.metadata
import os
import platform
import time
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks.schema import Board, Environment
from device.model_pick import processor
from device.system.health import read_health, throttle_words
from smear.bundle.folder import Bundle
from smear.revision import git_revision

LIBRARIES = (
    "ai-edge-litert",
    "tflite-runtime",
    "onnxruntime",
    "tf2onnx",
    "opencv-python-headless",
    "numpy",
    "smearscope",
)
BUSY = 0.25  # processors that other processes may keep busy before a run counts as disturbed
LOAD = 0.5  # one-minute load average of an idle machine before the run; afterwards it is the run's own
_OBSERVE_S = 0.5
SYS = Path("/sys")


class LoadMonitor:
    """Measures how many processors other processes kept busy since it was created, a hypervisor included.

    The processor time of child processes counts as our own once they have ended.
    """

    def __init__(self) -> None:
        self._busy, self._own, self._began = _busy_s(), sum(os.times()[:4]), time.monotonic()

    def others_busy(self) -> float:
        """Return the mean number of processors that other processes kept busy."""
        spent = _busy_s() - self._busy - (sum(os.times()[:4]) - self._own)
        return max(0.0, spent / (time.monotonic() - self._began))


def read_board() -> Board:
    """Observe the machine for half a second: temperature, throttling, clock, and the load of other processes."""
    monitor = LoadMonitor()
    # This waits for nothing: it is the time over which the load is measured.
    psutil.cpu_percent(interval=_OBSERVE_S)
    health = read_health(SYS)
    clock = psutil.cpu_freq() if hasattr(psutil, "cpu_freq") else None
    return Board(
        temperature_c=health.temperature_c,
        throttled=health.throttled,
        governor=_read(SYS / "devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        clock_mhz=clock.current if clock else None,
        load_1min=os.getloadavg()[0],
        others_busy=monitor.others_busy(),
    )


def environment(
    bundle: Bundle, before: Board, after: Board, versions: dict[str, str], others_busy: float = 0.0
) -> Environment:
    """Describe this machine; `versions` are those of other environments, `others_busy` is over the whole run."""
    cpus = os.cpu_count() or 1
    return Environment(
        machine=_machine(),
        cpu=processor(),
        cpus=cpus,
        memory_mb=psutil.virtual_memory().total // 1_000_000,
        os=_os_name(),
        kernel=platform.release(),
        python=platform.python_version(),
        versions=_versions() | versions,
        git_revision=git_revision(),
        bundle=bundle.manifest.name,
        bundle_sha256=bundle.sha256,
        before=before,
        after=after,
        others_busy=others_busy,
        nice=os.getpriority(os.PRIO_PROCESS, 0),
        warnings=disturbances(before, after, cpus, others_busy),
    )


def disturbances(before: Board, after: Board, cpus: int, others_busy: float = 0.0) -> tuple[str, ...]:
    """Return why figures measured between `before` and `after` may be wrong, as phrases."""
    found = []
    busiest = max(before.others_busy, after.others_busy, others_busy)
    if busiest > BUSY:
        found.append(
            f"loaded: other processes kept {busiest:.1f} of {cpus} processors busy ({others_busy:.1f} over the whole "
            f"run; load {before.load_1min:.1f} before, {after.load_1min:.1f} after); measure again on a quiet machine"
        )
    elif before.load_1min > LOAD:
        found.append(
            f"loaded: the load average was {before.load_1min:.1f} when the run began; measure again on a machine that "
            "was idle for a minute"
        )
    for when, board in (("before", before), ("after", after)):
        causes = throttle_words(board.throttled or 0)
        if causes:
            found.append(f"throttled {when} the run: {', '.join(causes)}")
    if before.governor in {"powersave", "conservative"}:
        found.append(f"the governor is {before.governor}: the clock may have been below its maximum")
    return tuple(found)


def _busy_s() -> float:
    """Return the seconds that all processors together have been busy."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


def _machine() -> str:
    return (
        _read(Path("/proc/device-tree/model")).strip("\0")
        or _read(SYS / "class/dmi/id/product_name")
        or platform.machine()
    )


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
