"""`gphoto2:` cameras with a lens mount (DSLR and mirrorless) on a trinocular tube, through libgphoto2."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from device.cameras.base import CameraIdentity, CameraKind, Grant, size_difference
from device.cameras.threaded_camera import STALE_S, live
from device.cameras.uri import CameraName
from smear.errors import CameraError, ImageError
from smear.images import read_jpeg

_SETTINGS = ("iso", "shutterspeed", "aperture", "f-number", "exposurecompensation", "whitebalance", "colortemperature")
_SAME_S = 0.01
_FOUND_WHERE = "switch it on, set its USB mode to PTP, and close other programs that use it (also the desktop's own)"


class Gphoto2Source:
    """`gphoto2:[model or port][?capture=1]`."""

    def __init__(
        self, name: CameraName, size: tuple[int, int] | None = None, controls: Mapping[str, Any] | None = None
    ) -> None:
        """Open the camera and take a first picture.

        Raises:
            CameraError: python-gphoto2 is not installed, there is no such camera, or it takes no picture.
        """
        self._name = name.text
        self._library = KIND.load(name)
        self._whole = name.options.get("capture", "0") not in {"0", "no", "false"}
        self._alone = threading.Lock()  # libgphoto2 takes one call at a time
        self._wanted = threading.Event()  # the picture before has been read
        self._wanted.set()
        self._stop = threading.Event()
        self._last = b""
        self._camera = _opened(self._library, name)
        try:
            self._set_controls(controls or {})
            height, width = self.to_rgb(self.grab()).shape[:2]
        except (CameraError, ImageError) as error:
            self.release()
            raise CameraError(str(error)) from error
        self.granted = Grant((width, height), "JPEG", size_difference(self._name, size, (width, height)))

    def grab(self) -> bytes:
        """Return the next picture as JPEG: of the live view, or, with `capture=1`, one more release of the shutter."""
        if self._whole:
            self._wanted.wait(STALE_S)  # no shutter is released for nobody
            self._wanted.clear()
            return self._taken()
        while (picture := self._previewed()) == self._last and not self._stop.wait(_SAME_S):
            pass  # asked faster than its live view changes; one that stands still is lost to the reader
        self._last = picture
        return picture

    def _previewed(self) -> bytes:
        with self._alone, self._said("gives no picture"):
            return _bytes_of(self._camera.capture_preview())

    def _taken(self) -> bytes:
        with self._alone, self._said("gives no picture"):
            path = self._camera.capture(self._library.GP_CAPTURE_IMAGE)
            file = self._camera.file_get(path.folder, path.name, self._library.GP_FILE_TYPE_NORMAL)
            self._camera.file_delete(path.folder, path.name)
            return _bytes_of(file)

    def to_rgb(self, raw: bytes) -> np.ndarray:
        """Return RGB uint8 (H, W, 3).

        Raises:
            ImageError: it is damaged, or not in JPEG.
        """
        self._wanted.set()
        try:
            return read_jpeg(raw).image
        except ImageError as error:
            raise ImageError(f"camera {self._name} took a picture that is {error}; set it to take JPEGs") from error

    def settled_controls(self) -> dict[str, Any]:
        """Return exposure and white balance as they are set at the camera; in its mode M they stay so."""
        kept = {}
        with self._alone:
            for setting in _SETTINGS:
                with suppress(self._library.GPhoto2Error):  # each maker has others
                    kept[setting] = str(self._camera.get_single_config(setting).get_value())
        return kept

    def interrupt(self) -> None:
        """End the waiting in another thread."""
        self._stop.set()
        self._wanted.set()

    def release(self) -> None:
        """Close the camera, whose port is free when nobody holds it any more."""
        with self._alone:
            with suppress(self._library.GPhoto2Error):  # of one that is gone
                self._camera.exit()
            del self._camera

    def _set_controls(self, controls: Mapping[str, Any]) -> None:
        for setting, value in controls.items():
            with self._said(f"does not accept {setting}={value}; calibrate again with this camera"):
                widget = self._camera.get_single_config(setting)
                if str(widget.get_value()) != str(value):
                    widget.set_value(str(value))
                    self._camera.set_single_config(setting, widget)

    @contextmanager
    def _said(self, what: str) -> Iterator[None]:
        try:
            yield
        except self._library.GPhoto2Error as error:
            hint = "; one without a live view needs ?capture=1" if not self._whole else ""
            raise CameraError(
                f"camera {self._name} {what} ({error.string}); check its cable, battery and mode{hint}"
            ) from error


def _attached(library: Any) -> list[tuple[str, str]]:
    """Return model and port of each camera."""
    found = library.Camera.autodetect()
    return [(found.get_name(index), found.get_value(index)) for index in range(found.count())]


def _opened(library: Any, name: CameraName) -> Any:
    cameras = _attached(library)
    chosen = next((each for each in cameras if name.target in {"", *each}), None)
    if chosen is None:
        known = ", ".join(f"{model} ({port})" for model, port in cameras) or "none"
        raise CameraError(f"camera {name.text} is not found; found here: {known}; {_FOUND_WHERE}")
    camera, abilities, ports = library.Camera(), library.CameraAbilitiesList(), library.PortInfoList()
    abilities.load()
    ports.load()
    try:
        camera.set_abilities(abilities.get_abilities(abilities.lookup_model(chosen[0])))
        camera.set_port_info(ports.get_info(ports.lookup_path(chosen[1])))
        camera.init()
    except library.GPhoto2Error as error:
        raise CameraError(f"camera {name.text} cannot be opened ({error.string}); {_FOUND_WHERE}") from error
    return camera


def _bytes_of(file: Any) -> bytes:
    return bytes(memoryview(file.get_data_and_size()))


def _identify(name: CameraName) -> CameraIdentity:
    """Return the camera by its model; its serial number is told only by opening it."""
    with suppress(CameraError):  # without the library, opening it says so
        for model, port in _attached(KIND.load(name)):
            if name.target in {"", model, port}:
                return CameraIdentity(f"gphoto2:{model}")
    return CameraIdentity(f"gphoto2:{name.target}")


KIND = CameraKind(
    name="gphoto2",
    help="a DSLR or mirrorless camera on the microscope, by USB",
    usage="gphoto2:[model]",
    options={"capture": "1: whole pictures in place of the live view; each releases the shutter, which wears it"},
    open=live(lambda name, request: Gphoto2Source(name, request.size, request.controls)),
    identify=_identify,
    takes_controls=True,
    module="gphoto2",
    install="pip install 'smearscope[gphoto2]'",
)
