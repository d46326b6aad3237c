"""A live session: camera and inference as supervised parts, the screen on the main thread, systemd kept informed."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from device.session.camera_worker import CAMERA, CameraWorker
from device.session.inference_worker import MODEL, POLL_S, InferenceWorker
from device.session.results import Examined
from device.session.supervisor import Part, Supervisor
from device.system.clock import Clock
from device.system.systemd import Notifier
from smear.errors import EndOfFramesError
from smear.findings import Frame

_RATE_OVER = 10  # results: long enough for a stable figure, short enough to follow a change of the load
_BEAT_S = 1.0  # no more often: the service manager has other services
_BEATS_PER_WATCHDOG = 4  # no less often: one lost datagram must not end the service
_START_STEP_S = 30.0  # more time to start, asked for again while a camera is waited for


class Screen(Protocol):
    """Shows results; `device.screen.live_screen.LiveScreen`, or a stand-in."""

    @property
    def follows(self) -> bool:
        """Whether it wants to be called for every frame of the camera."""
        ...

    def show(self, examined: Examined) -> None:
        """Show one result."""
        ...

    def idle(self, newest: Frame | None, lost: bool) -> None:
        """Handle taps; show the newest frame, or that the camera is lost: between results, or after each to follow."""
        ...

    def close(self) -> None:
        """Release the screen; safe to call twice."""
        ...


class Rate:
    """Fields a second over the last results; fields passed over by a slow screen count too."""

    def __init__(self) -> None:
        self._seen: deque[tuple[int, float]] = deque(maxlen=_RATE_OVER)

    def add(self, number: int, now_s: float) -> None:
        """Note that result `number` came at `now_s`."""
        self._seen.append((number, now_s))

    def forget(self) -> None:
        """Forget the results so far, after a pause."""
        self._seen.clear()

    @property
    def per_s(self) -> float:
        """Fields a second; 0 while unknown."""
        if not self._seen:
            return 0.0
        (first, began), (last, ended) = self._seen[0], self._seen[-1]
        return (last - first) / (ended - began) if ended > began else 0.0


class Heartbeat:
    """Tells systemd that fields reach the end of the pipeline, or that all that is missing is the camera or the bundle.

    The watchdog is fed by a result that was shown. While the camera is lost or the bundle gone it is fed too, as long
    as the camera's part reopens it in time, nothing hangs inside the pipeline, and this is called: a new process would
    not bring either back, and would take the reason from the screen.
    """

    def __init__(
        self, notifier: Notifier, clock: Clock, camera_worker: CameraWorker, inference_worker: InferenceWorker
    ) -> None:
        self._notifier = notifier
        self._clock = clock
        self._camera_worker = camera_worker
        self._inference_worker = inference_worker
        self._rate = Rate()
        self._refused = ""
        self._beat_s = -_BEAT_S
        self._asked_s = -_START_STEP_S
        self._every_s = min(_BEAT_S, (notifier.watchdog_s or 4.0) / _BEATS_PER_WATCHDOG)

    def beat(self, examined: Examined | None, camera_is_looked_after: bool) -> None:
        """Call it at each turn of the main loop, after the screen was drawn."""
        now = self._clock.monotonic_s()
        if examined is not None:
            self._rate.add(examined.number, now)
            if examined.finding.refusals:
                self._refused = examined.finding.refusals[0].advice
            self._notifier.ready()
            self._feed_watchdog(now, self._status(examined.number))
        elif (missing := self._missing()) and self._inference_worker.waits_for_a_frame and camera_is_looked_after:
            self._rate.forget()
            if not self._notifier.is_ready and now - self._asked_s >= _START_STEP_S / 2:
                self._asked_s = now
                self._notifier.more_time(_START_STEP_S)
            self._feed_watchdog(now, f"{missing}; {self._status(self._inference_worker.examined)}")

    def _missing(self) -> str:
        if self._camera_worker.lost:
            return "no picture from the camera"
        return "the chosen bundle is gone" if self._inference_worker.processors.suspended else ""

    def _feed_watchdog(self, now: float, status: str) -> None:
        if now - self._beat_s >= self._every_s:
            self._beat_s = now
            self._notifier.watchdog()
            self._notifier.status(status)

    def _status(self, number: int) -> str:
        rate = f", {self._rate.per_s:.1f}/s" if self._rate.per_s else ""
        refused = f"; last refusal: {self._refused}" if self._refused else ""
        return f"{number} fields examined{rate}{refused}"


def run_session(
    supervisor: Supervisor,
    camera_worker: CameraWorker,
    inference_worker: InferenceWorker,
    screen: Screen,
    heartbeat: Heartbeat,
    stop: threading.Event,
    on_examined: Callable[[Examined], None] = lambda examined: None,
    parts: Sequence[Part] = (),
) -> None:
    """Run until `stop` is set, the fields asked for are examined, or the camera is at its end.

    Call it from the main thread, as windows want it. Everything is stopped and closed when it returns or raises.

    Raises:
        KeyboardInterrupt: the user closed the window.
        SmearscopeError: a part cannot be restarted in this process.
    """
    try:
        # A camera that is not there may be plugged in: its own errors never end the process, only its hangs do.
        supervisor.start(Part(CAMERA, camera_worker.work, supervisor.policy, patient=True))
        supervisor.start(Part(MODEL, inference_worker.work, supervisor.policy, replaceable=False))
        for part in parts:
            supervisor.start(part)
        newest: Frame | None = None
        while not stop.is_set():
            examined = None
            try:
                if screen.follows:
                    with suppress(TimeoutError):
                        newest = camera_worker.next(newest, POLL_S)
                examined = inference_worker.results.take(0.0 if screen.follows else POLL_S)
            except TimeoutError:
                pass
            except EndOfFramesError:
                return
            if examined is not None:
                screen.show(examined)
                on_examined(examined)
            if examined is None or screen.follows:  # else the last field of a camera at its end would be taken off
                screen.idle(camera_worker.newest, camera_worker.lost)
            supervisor.tick()
            heartbeat.beat(examined, supervisor.looks_after(CAMERA))
    finally:
        supervisor.stop()
        screen.close()
