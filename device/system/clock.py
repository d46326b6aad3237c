"""Time for records: seconds since boot, wall time, and whether the wall clock is synchronised."""

import ctypes
import time
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time by both clocks, with what makes it comparable with another one."""

    wall_s: float = 0.0  # Unix time
    monotonic_s: float = 0.0  # since boot
    boot_id: str = ""
    synced: bool = False  # a time server had set the wall clock: its date may be trusted

    def before(self, now: "Moment") -> float | None:
        """Return how many seconds this moment lies before `now`, negative after it; None: no clock can tell.

        Within one boot its own clock tells, which never jumps; else both dates must be trusted.
        """
        if self.boot_id and self.boot_id == now.boot_id:
            return now.monotonic_s - self.monotonic_s
        return now.wall_s - self.wall_s if self.synced and now.synced else None


UNKNOWN = Moment()


def moment(clock: Clock | None = None) -> Moment:
    """Return the present moment."""
    clock = clock or SystemClock()
    return Moment(clock.wall_s(), clock.monotonic_s(), boot_id(), bool(clock_synced()))
