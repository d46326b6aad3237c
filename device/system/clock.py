"""Time as records need it: seconds since boot, wall time, and whether the wall can be believed."""

import ctypes
import time
from pathlib import Path
from typing import Protocol

_SYNCHRONIZED = Path("/run/systemd/timesync/synchronized")  # systemd-timesyncd touches it after its first answer
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_TIME_ERROR = 5  # adjtimex(2): the kernel's clock is not synchronised


class Clock(Protocol):
    """Time, so that tests can turn it."""

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
    """A clock that moves only when told; for tests."""

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
        """Let `seconds` pass on both clocks."""
        self._monotonic_s += seconds
        self._wall_s += seconds

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward or back, as a time server does; the monotonic one stays."""
        self._wall_s += seconds


def boot_id() -> str:
    """Return the kernel's name for this boot, or "" where there is none: monotonic times compare only within one."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def clock_synced() -> bool | None:
    """Tell whether a time server has set the wall clock; None when the system will not say."""
    if _SYNCHRONIZED.exists():
        return True
    adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)
    if adjtimex is None:
        return None
    state = adjtimex(ctypes.create_string_buffer(512))  # struct timex, zeroed: modes 0 only reads
    return None if state < 0 else state != _TIME_ERROR
