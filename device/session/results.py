"""What the inference worker has concluded: handed to the screen, and to whoever asks beside it."""

import math
import threading
from concurrent.futures import Future
from dataclasses import dataclass

from device.cameras.latest_slot import LatestSlot
from device.store.recorder import Recorded
from smear.errors import SmearscopeError
from smear.findings import Finding, Frame, Refusal
from smear.site import SiteStatus


@dataclass(frozen=True, slots=True)
class Newest:
    """What is told of the newest result; not its pictures, which take 190 MB at 48 megapixels."""

    number: int
    label: str | None
    refusals: tuple[Refusal, ...]
    bundle_sha256: str
    level: str
    runtime: str
    site: SiteStatus | None
    recorded: Recorded
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Examined:
    """One frame that was examined and recorded."""

    frame: Frame
    finding: Finding
    recorded: Recorded
    number: int  # of the session, from 1
    warnings: tuple[str, ...] = ()

    def without_pictures(self) -> Newest:
        """Return what is told of it."""
        found = self.finding
        about = found.label, found.refusals, found.bundle_sha256, found.level, found.runtime, found.site
        return Newest(self.number, *about, self.recorded, self.warnings)


class Results:
    """The newest result. The screen takes each at most once; others wait for the next one."""

    def __init__(self) -> None:
        self.newest: Newest | None = None
        self._slot: LatestSlot[Examined] = LatestSlot()
        self._lock = threading.Lock()
        self._waiting: list[Future[Examined]] = []

    def publish(self, examined: Examined) -> None:
        """Make `examined` the newest result."""
        self._slot.put(examined)
        self.newest = examined.without_pictures()
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.set_result(examined)

    def end(self, reason: SmearscopeError) -> None:
        """Say that no more results will come, and why."""
        self._slot.fail(reason)

    def take(self, timeout_s: float) -> Examined:
        """Return the newest result not taken yet.

        Raises:
            TimeoutError: none came within `timeout_s`.
            EndOfFramesError: all fields asked for were examined, or the camera is at its end.
        """
        return self._slot.take(timeout_s, math.inf)

    def next(self, timeout_s: float) -> Examined:
        """Return the next result that comes.

        Raises:
            TimeoutError: none came within `timeout_s`.
        """
        awaited: Future[Examined] = Future()
        with self._lock:
            self._waiting.append(awaited)
        try:
            return awaited.result(timeout_s)
        finally:
            with self._lock:
                if awaited in self._waiting:
                    self._waiting.remove(awaited)
