"""What the inference worker has concluded: handed to the screen, and to whoever asks beside it."""

import math
import threading
from dataclasses import dataclass

from device.cameras.latest_slot import LatestSlot
from device.store.recorder import Recorded
from smear.errors import SmearscopeError
from smear.findings import Finding, Frame


@dataclass(frozen=True, slots=True)
class Examined:
    """One frame that was examined and recorded."""

    frame: Frame
    finding: Finding
    recorded: Recorded
    number: int  # of the session, from 1
    warnings: tuple[str, ...] = ()


class Results:
    """The newest result. The screen takes each at most once; others wait for the next one."""

    def __init__(self) -> None:
        self.newest: Examined | None = None
        self._slot: LatestSlot[Examined] = LatestSlot()
        self._published = threading.Condition()

    def publish(self, examined: Examined) -> None:
        """Make `examined` the newest result."""
        self._slot.put(examined)
        with self._published:
            self.newest = examined
            self._published.notify_all()

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
        with self._published:
            before = self.newest
            if not self._published.wait_for(lambda: self.newest is not before, timeout_s) or self.newest is None:
                raise TimeoutError
            return self.newest
