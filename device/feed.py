"""The camera's thread: keeps the newest frame in one slot, so that nothing ever queues behind slow inference."""

import math
import threading

from device.cameras.latest import LatestSlot
from device.protocols import Camera
from smear.errors import ImageError, SmearscopeError
from smear.field import Frame

STEPPED = ("files:", "simulated:")
"""Cameras whose stage moves at every read: each frame is a field of its own, so none may be passed over."""
_JOIN_S = 2.0  # of the five seconds a service has to stop


class CameraFeed:
    """Reads one camera from a thread of its own."""

    def __init__(self, camera: Camera, timeout_s: float) -> None:
        self.camera = camera
        self.newest: Frame | None = None  # for a live picture between two findings
        self._timeout_s = timeout_s
        self._stepped = camera.name.startswith(STEPPED)
        self._wanted = threading.Semaphore(1)  # one frame is fetched while the one before is examined
        self._slot: LatestSlot[Frame | ImageError] = LatestSlot()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"feed {camera.name}", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def take(self, timeout_s: float) -> Frame:
        """Return the newest frame not taken yet.

        Raises:
            TimeoutError: none came within `timeout_s`.
            ImageError: this picture cannot be read; the next call goes on with the next one.
            EndOfFramesError: a finite camera is at its end.
            CameraError: the camera was lost.
        """
        got = self._slot.take(timeout_s, math.inf if self._stepped else self._timeout_s)
        self._wanted.release()
        if isinstance(got, ImageError):
            raise got
        return got

    def stop(self) -> None:
        """End the thread and give the camera back; safe to call twice."""
        self._stop.set()
        self._wanted.release()
        if self._thread.is_alive():
            self._thread.join(_JOIN_S)
        self.camera.close()

    def _work(self) -> None:
        while not self._stop.is_set():
            if self._stepped:
                self._wanted.acquire()
                if self._stop.is_set():
                    return
            try:
                self.newest = frame = self.camera.read(self._timeout_s)
                self._slot.put(frame)
            except ImageError as error:
                self._slot.put(error)
            except SmearscopeError as error:
                self._slot.fail(error)
                return
