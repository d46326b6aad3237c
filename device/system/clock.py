"""Time for records: seconds since boot, wall time, and whether the wall clock is synchronised."""

import ctypes
import time
from pathlib import Path
from typing import Protocol

_SYNCHRONIZED = Path("/run/systemd/timesync/synchronized")  # created by systemd-timesyncd at its first synchronisation
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_TIME_ERROR = 5  # adjtimex(2): the kernel's clock is not synchronised


class Clock(Protocol):
    """Time, passed in so that tests can set it."""

    def monotonic_s(self) -> float:
        """Seconds since boot; never jumps."""
        ...

    def wall_s(self) -> float:
        """Unix time; may jump."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def monotonic_s(self) -> float:
        """Seconds since boot; never jumps."""
        return time.monotonic()

    def wall_s(self) -> float:
        """Unix time; may jump, as a Pi has no battery-backed clock."""
        return time.time()


class ManualClock:
    """A clock that only moves when it is set; for tests."""

    def __init__(self, monotonic_s: float = 0.0, wall_s: float = 0.0) -> None:
        self._monotonic_s = monotonic_s
        self._wall_s = wall_s

    def monotonic_s(self) -> float:
        """Seconds since boot; never jumps."""
        return self._monotonic_s

    def wall_s(self) -> float:
        """Unix time."""
        return self._wall_s

    def advance(self, seconds: float) -> None:
        """Move both clocks forward by `seconds`."""
        self._monotonic_s += seconds
        self._wall_s += seconds

    def jump(self, seconds: float) -> None:
        """Move the wall clock forward or back, as a time server does; the monotonic one stays as it is."""
        self._wall_s += seconds


def boot_id() -> str:
    """Return the kernel's id of this boot, or "" where there is none; monotonic times compare only within one."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def clock_synced() -> bool | None:
    """Return whether a time server has set the wall clock; None where the system does not report it."""
    if _SYNCHRONIZED.exists():
        return True
    adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)
    if adjtimex is None:
        return None
    state = adjtimex(ctypes.create_string_buffer(512))  # a zeroed struct timex: with modes 0 it only reads
    return None if state < 0 else state != _TIME_ERROR
