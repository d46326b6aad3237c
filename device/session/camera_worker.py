"""The camera's part: opens it, keeps the newest frame in one slot, gives it back; nothing queues behind inference."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from device.cameras.base import Camera
from device.cameras.latest_slot import LatestSlot
from device.cameras.registry import camera_kind
from device.cameras.threaded_camera import CLOSE_TIMEOUT_S, OPEN_TIMEOUT_S, STALE_S
from device.cameras.uri import without_credentials
from device.session.active_faults import ActiveFaults
from device.session.supervisor import Turn
from smear.errors import CameraError, EndOfFramesError, ImageError
from smear.findings import Frame

LOST_AFTER_S = 1.5  # without a frame: said on the screen, which issue 5 wants within 2 s
_GRACE_S = 2.0  # a driver keeps its own time limits; who is so much over them hangs
_POLL_S = 0.1
AHEAD_BYTES = 75_000_000  # 25 megapixels; two larger frames at once take more than a small board can spare
CAMERA = "camera"


class CameraWorker:
    """Reads one camera at a time; `work` is run again whenever the camera was lost."""

    def __init__(self, name: str, open_camera: Callable[[], Camera], timeout_s: float, faults: ActiveFaults) -> None:
        self._learn(name)
        self.newest: Frame | None = None  # for a live picture between two findings; None: there is none to trust
        self.camera: Camera | None = None  # the open one
        self.opened = 0  # how often
        self.opened_s = 0.0  # when it was opened last, on the clock of the boot
        self._open_camera = open_camera
        self._timeout_s = timeout_s
        self._faults = faults
        self._waiting_since_s: float | None = None
        self._reopen = threading.Event()
        self._wanted = threading.Event()  # one frame is fetched while the one before is examined, unless it is large
        self._wanted_at_next = False
        self._slot: LatestSlot[Frame | ImageError] = LatestSlot()
        self._came = threading.Condition()
        self._first: Camera | None = None

    @property
    def lost(self) -> bool:
        """True while there is no camera, or it owes a frame for too long."""
        since_s = self._waiting_since_s
        return self.camera is None or (since_s is not None and time.monotonic() - since_s > LOST_AFTER_S)

    def take(self, timeout_s: float) -> Frame:
        """Return the newest frame not taken yet; never one that no longer shows what is under the objective.

        A camera that steps by itself waits with its next field: that is taken now, and its times say so.

        Raises:
            TimeoutError: none came within `timeout_s`.
            ImageError: this picture cannot be read; the next call goes on with the next one.
            EndOfFramesError: a finite camera is at its end.
        """
        if self._wanted_at_next:
            self._wanted_at_next = False
            self._wanted.set()
        got = self._slot.take(timeout_s, math.inf if self.stepped else STALE_S)
        if isinstance(got, Frame) and got.image.nbytes > AHEAD_BYTES:
            self._wanted_at_next = True
        else:
            self._wanted.set()
        if isinstance(got, ImageError):
            raise got
        return replace(got, monotonic_s=time.monotonic(), wall_time_s=time.time()) if self.stepped else got

    def next(self, before: Frame | None, timeout_s: float) -> Frame:
        """Return a frame other than `before`, as the camera gives it, for whoever asks beside the examiner.

        Raises:
            TimeoutError: none came within `timeout_s`.
        """
        with self._came:
            self._came.wait_for(lambda: self.newest is not None and self.newest is not before, timeout_s)
            if self.newest is None or self.newest is before:
                raise TimeoutError
            return self.newest

    def open_first(self) -> None:
        """Open the camera now, for who wants to be told at once that it is not there.

        Raises:
            CameraError: it cannot be opened.
        """
        self._first = self._open_camera()
        self._learn(self._first.name, self._first)

    def close(self) -> None:
        """Give back a camera that `work` has not taken yet; safe to call twice."""
        if self._first is not None:
            self._first.close()

    def reopen(self) -> None:
        """Close the camera after the current frame and open it again, with other controls."""
        self._reopen.set()

    def work(self, turn: Turn) -> None:
        """Open the camera and read it until told to stop or it is at its end.

        Raises:
            CameraError: it cannot be opened, or was lost.
        """
        camera: Camera | None = None
        try:
            while not turn.stop.is_set():
                if camera is None:
                    camera = self._opened(turn)
                if not self._read(camera, turn):
                    return
                if self._reopen.is_set():
                    self._reopen.clear()
                    self.camera = None
                    camera.close()
                    camera = None
        finally:
            if not turn.stop.is_set() or self.camera is camera:
                self._forget()
            if camera is not None:
                with turn.pulse.doing("closing it", CLOSE_TIMEOUT_S + _GRACE_S):
                    camera.close()

    def _learn(self, name: str, camera: Camera | None = None) -> None:
        """Note what is known of the camera called `name`; `auto` gets the name of the one that was opened."""
        try:
            kind = camera_kind(name)
        except CameraError:
            kind = None  # opening it fails with the reason
        self.name = without_credentials(name)
        self.stepped = kind is not None and kind.steps_by_itself  # each frame is another field: none may be skipped
        self.simulated = camera.simulated if camera else kind is not None and kind.simulated

    def _opened(self, turn: Turn) -> Camera:
        with turn.pulse.doing("opening it", OPEN_TIMEOUT_S + _GRACE_S):
            camera, self._first = self._first or self._open_camera(), None
        if turn.stop.is_set():
            return camera
        self.opened_s = time.monotonic()
        self.camera = camera
        self._learn(camera.name, camera)
        self.opened += 1
        self._wanted.set()  # whoever had taken a frame of the lost one waits for the next
        return camera

    def _read(self, camera: Camera, turn: Turn) -> bool:
        """Put the next frame into the slot; return False when there is none any more."""
        while self.stepped and not self._wanted.wait(_POLL_S):
            if turn.stop.is_set():
                return False
        got: Frame | ImageError
        self._waiting_since_s = time.monotonic()
        try:
            with turn.pulse.doing("reading it", self._timeout_s + _GRACE_S):
                got = camera.read(self._timeout_s)
        except ImageError as error:
            got = error
        except EndOfFramesError as error:
            self._slot.fail(error)
            return False
        if turn.stop.is_set():
            return False  # replaced while it hung: what came so late is nobody's picture
        self._waiting_since_s = None
        if isinstance(got, Frame):
            with self._came:
                self.newest = got
                self._came.notify_all()
            self._faults.resolve(CAMERA)
        self._wanted.clear()
        self._slot.put(got)
        return True

    def _forget(self) -> None:
        """Leave nothing behind that could be taken for live."""
        self.camera = self.newest = self._waiting_since_s = None
