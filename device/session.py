"""A live session: camera, inference and screen, each at its own pace, joined by slots that hold only the newest."""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from device.cameras.latest import LatestSlot
from device.feed import CameraFeed
from device.recorder import Recorded, Recorder
from smear.errors import EndOfFramesError, ImageError, SmearscopeError
from smear.field import Finding, Frame

_POLL_S = 0.1  # how soon a stop is noticed, and how often an idle screen looks for taps
_JOIN_S = 2.0  # of the five seconds a service has to stop


class Pipeline(Protocol):
    """What turns a frame into a finding: `device.pipeline.Pipeline`, or a stand-in."""

    def examine(self, frame: Frame) -> Finding:
        """Return what is concluded from `frame`."""
        ...


@dataclass(frozen=True, slots=True)
class Examined:
    """One frame at the end of the pipeline."""

    frame: Frame
    finding: Finding
    recorded: Recorded
    number: int  # of the session, from 1


class Examiner:
    """The inference thread: takes frames, examines them, records them, and publishes the newest result."""

    def __init__(self, feed: CameraFeed, pipeline: Pipeline, recorder: Recorder, fields: int | None = None) -> None:
        self.examined = 0
        self.unreadable: list[str] = []  # pictures of a folder that could not be read
        self._feed = feed
        self._pipeline = pipeline
        self._recorder = recorder
        self._fields = fields
        self._results: LatestSlot[Examined] = LatestSlot()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="examiner", daemon=True)

    def start(self) -> None:
        """Begin to examine."""
        self._thread.start()

    def take(self, timeout_s: float) -> Examined:
        """Return the newest result not taken yet.

        Raises:
            TimeoutError: none came within `timeout_s`.
            EndOfFramesError: all fields asked for were examined, or the camera is at its end.
            SmearscopeError: what ended the session.
        """
        return self._results.take(timeout_s, math.inf)

    def stop(self) -> None:
        """End after the field under examination; its record is complete or was never begun."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_JOIN_S)

    def _work(self) -> None:
        try:
            while not self._stop.is_set() and self.examined != self._fields:
                self._examine_next()
            self._results.fail(EndOfFramesError(f"{self.examined} fields were examined"))
        except SmearscopeError as error:
            self._results.fail(error)
        except Exception as error:  # noqa: BLE001 - the thread's boundary: it may not die unseen
            failure = SmearscopeError(f"examining a field failed ({type(error).__name__}: {error}); please report this")
            failure.__cause__ = error
            self._results.fail(failure)

    def _examine_next(self) -> None:
        try:
            frame = self._feed.take(_POLL_S)
        except TimeoutError:
            return
        except ImageError as error:
            self.unreadable.append(str(error))
            return
        finding = self._pipeline.examine(frame)
        recorded = self._recorder.record(frame, finding)
        self.examined += 1
        self._results.put(Examined(frame, finding, recorded, self.examined))


class Screen(Protocol):
    """Shows results; `device.screen.LiveScreen`, or a stand-in."""

    def show(self, examined: Examined) -> None:
        """Show one result."""
        ...

    def idle(self, newest: Frame | None) -> None:
        """Look for taps, and show that the camera lives, while no result comes."""
        ...

    def close(self) -> None:
        """Give the screen back; safe to call twice."""
        ...


def run_session(
    feed: CameraFeed,
    examiner: Examiner,
    screen: Screen,
    stop: threading.Event,
    on_examined: Callable[[Examined], None] = lambda examined: None,
) -> None:
    """Run until `stop` is set, the fields asked for are examined, or the camera is at its end.

    Call it from the main thread, as windows want it. Everything is stopped and closed when it returns or raises.

    Raises:
        KeyboardInterrupt: the user closed the window.
        SmearscopeError: the camera was lost, a model did not answer, the screen went away.
    """
    try:
        feed.start()
        examiner.start()
        while not stop.is_set():
            try:
                examined = examiner.take(_POLL_S)
            except TimeoutError:
                screen.idle(feed.newest)
                continue
            except EndOfFramesError:
                return
            screen.show(examined)
            on_examined(examined)
    finally:
        examiner.stop()
        feed.stop()
        screen.close()
