"""A real camera in a thread of its own, so that a driver that hangs never blocks the reader."""

import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, Protocol

import cv2
import numpy as np

from device.cameras.base import Camera, CameraRequest, Grant
from device.cameras.latest_slot import LatestSlot
from device.cameras.uri import CameraName
from smear.errors import CameraError, SmearscopeError
from smear.findings import Frame

OPEN_TIMEOUT_S = 15.0  # libcamera needs 2 to 4 s on a Pi 4; a network stream that never responds must end too
STALE_S = 2.0  # a picture older than this no longer shows what is under the objective
CLOSE_TIMEOUT_S = 2.0  # the service has 5 s to stop; a driver that hangs longer is abandoned in its thread


class Source(Protocol):
    """A driver, used from one thread only; creating it opens the hardware.

    One that can be waked from outside while it waits also has `interrupt()`, after which `grab` raises soon.
    """

    def grab(self) -> Any:
        """Wait for the next picture and return it in the driver's own format; never the same one twice."""
        ...

    def to_rgb(self, raw: Any) -> np.ndarray:
        """Convert a picture from `grab` to RGB uint8 (H, W, 3); called from the reader's thread."""
        ...

    def release(self) -> None:
        """Release the hardware."""
        ...


class LiveCamera:
    """A `Camera` that always returns the newest picture of a `Source`."""

    simulated = False

    def __init__(
        self,
        name: str,
        open_source: Callable[[], Source],
        pixel_size_um: float | None = None,
        open_timeout_s: float = OPEN_TIMEOUT_S,
        size: tuple[int, int] | None = None,
    ) -> None:
        """Open the source in the camera's thread and wait until it is open.

        `pixel_size_um` is of frames of `size` (width, height) where that is asked for, and of no others.

        Raises:
            CameraError: it cannot be opened, or not in time.
        """
        self.name = name
        self._pixel_size_um = pixel_size_um
        self._size = size
        self._sequence = 0
        self._opened: LatestSlot[Source] = LatestSlot()
        self._slot: LatestSlot[tuple[Any, float, float]] = LatestSlot()
        self._shape: tuple[int, ...] | None = None  # of the first frame
        self._stop = threading.Event()
        # A daemon thread: a driver that hangs inside the kernel must not keep the process from ending.
        self._thread = threading.Thread(target=self._work, args=(open_source,), name=f"camera {name}", daemon=True)
        self._thread.start()
        try:
            self._source = self._opened.take(open_timeout_s, open_timeout_s)
        except TimeoutError:
            self._stop.set()
            raise CameraError(
                f"camera {name} did not open within {open_timeout_s:g} s; unplug it and plug it in again, "
                "or restart the machine"
            ) from None

    def read(self, timeout_s: float) -> Frame:
        """Return the newest frame; see `device.cameras.base.Camera`."""
        if self._stop.is_set():
            raise CameraError(f"camera {self.name} is closed; open it again")
        try:
            raw, monotonic_s, wall_time_s = self._slot.take(timeout_s, STALE_S)
        except TimeoutError:
            raise CameraError(
                f"camera {self.name} delivered no frame within {timeout_s:g} s; check its cable, "
                "and that no other program uses it"
            ) from None
        try:
            image = self._source.to_rgb(raw)
        except (cv2.error, ValueError, TypeError, LookupError) as error:
            raise _translated(self.name, "delivered a picture that cannot be read", error) from error
        if self._shape is not None and self._shape != image.shape:
            raise CameraError(
                f"camera {self.name} changed from {_size_of(self._shape)} to {_size_of(image.shape)}; open it "
                "again, since scale and calibration belong to one size"
            )
        self._shape = image.shape
        known = self._size in (None, (image.shape[1], image.shape[0]))  # else it may be a crop, or binned
        scale = self._pixel_size_um if known else None
        frame = Frame(image, self.name, scale, self._sequence, monotonic_s, wall_time_s)
        self._sequence += 1
        return frame

    @property
    def granted(self) -> Grant:
        """What the driver delivers; see `device.cameras.base.grant_of`."""
        found = getattr(self._source, "granted", None)
        return found if isinstance(found, Grant) else Grant()

    def settled_controls(self) -> dict[str, Any]:
        """Return the controls that keep the camera's present exposure and gains; empty where it cannot report them."""
        read_controls = getattr(self._source, "settled_controls", None)
        return read_controls() if read_controls is not None else {}

    def close(self) -> None:
        """Stop the thread, which releases the hardware; safe to call twice."""
        self._stop.set()
        getattr(self._source, "interrupt", lambda: None)()
        self._thread.join(CLOSE_TIMEOUT_S)

    def _work(self, open_source: Callable[[], Source]) -> None:
        """Open the source, fill the slot until stopped, release it; any error is passed on to the reader."""
        try:
            source = open_source()
        except Exception as error:  # noqa: BLE001 - the driver's boundary: it may raise anything
            self._opened.fail(_translated(self.name, "cannot be opened", error))
            return
        self._opened.put(source)
        try:
            while not self._stop.is_set():
                self._slot.put((source.grab(), time.monotonic(), time.time()))
        except Exception as error:  # noqa: BLE001 - as above
            self._slot.fail(_translated(self.name, "was lost", error))
        finally:
            try:
                source.release()
            except Exception as error:  # noqa: BLE001 - as above
                self._slot.fail(_translated(self.name, "could not be released", error))


def live(open_source: Callable[[CameraName, CameraRequest], Source]) -> Callable[[CameraName, CameraRequest], Camera]:
    """Return what opens a camera for a `CameraKind` whose sources `open_source` opens."""

    def opened(name: CameraName, request: CameraRequest) -> Camera:
        return LiveCamera(name.text, lambda: open_source(name, request), request.pixel_size_um, size=request.size)

    return opened


def _size_of(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"


def _translated(name: str, what: str, error: Exception) -> SmearscopeError:
    """Return `error` as a `SmearscopeError` with its cause.

    The frames of both are emptied: they hold the driver, and with it the camera, as long as somebody holds the error.
    """
    each: BaseException | None = error
    while each is not None:
        traceback.clear_frames(each.__traceback__)
        each = each.__cause__ or each.__context__
    if isinstance(error, SmearscopeError):
        return error
    reason = str(error) or type(error).__name__
    translated = CameraError(f"camera {name} {what} ({reason}); check its cable, and that no other program uses it")
    translated.__cause__ = error
    return translated
