"""`micromanager:` whatever camera Micro-Manager drives on a desktop, by its configuration file, through pymmcore."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from device.cameras.base import CameraIdentity, CameraKind, Grant, size_difference
from device.cameras.threaded_camera import live
from device.cameras.uri import CameraName
from smear.errors import CameraError

GRAB_TIMEOUT_S = 5.0  # longer than any exposure used in bright field
_POLL_S = 0.005  # the core tells nobody that a picture has come
_SETTINGS = ("Exposure", "Gain")


class MicroManagerSource:
    """`micromanager:CONFIG[?adapters=FOLDER]`."""

    def __init__(
        self, name: CameraName, size: tuple[int, int] | None = None, controls: Mapping[str, Any] | None = None
    ) -> None:
        """Load the configuration and start its camera.

        Raises:
            CameraError: pymmcore is not installed, the configuration cannot be loaded, or lacks one of `controls`.
        """
        self._name = name.text
        self._stop = threading.Event()
        self._core = _loaded(name)
        try:
            self._camera = self._core.getCameraDevice()
            for setting, value in (controls or {}).items():
                self._core.setProperty(self._camera, setting, value)
            self._colours, self._bits = self._core.getNumberOfComponents(), self._core.getImageBitDepth()
            granted = (self._core.getImageWidth(), self._core.getImageHeight())
            self._core.startContinuousSequenceAcquisition(0)
        except (RuntimeError, OSError) as error:
            self._core.reset()
            raise CameraError(f"camera {self._name} cannot be started: {_first_line(error)}") from error
        kind = "RGB" if self._colours > 1 else "grey"
        self.granted = Grant(granted, f"{kind} {self._bits} bit", size_difference(self._name, size, granted))

    def grab(self) -> np.ndarray:
        """Return the newest picture that has not been returned."""
        for _ in range(int(GRAB_TIMEOUT_S / _POLL_S)):
            if self._core.getRemainingImageCount():
                picture = self._core.popNextImage()
                while self._core.getRemainingImageCount():
                    picture = self._core.popNextImage()
                return np.asarray(picture)
            if self._stop.wait(_POLL_S) or not self._core.isSequenceRunning():
                break
        raise CameraError(f"camera {self._name} stopped giving pictures; check its cable and power")

    def to_rgb(self, raw: np.ndarray) -> np.ndarray:
        """Return RGB uint8 (H, W, 3); the core's words of 32 or 64 bits hold blue, green, red and nothing."""
        if self._colours > 1:
            half = raw.dtype.itemsize // 4  # bytes of one channel
            channels = raw.view(np.uint8 if half == 1 else np.uint16).reshape(*raw.shape[:2], 4)
            return cv2.cvtColor(self._in_8_bits(channels), cv2.COLOR_BGRA2RGB)
        return cv2.cvtColor(self._in_8_bits(raw), cv2.COLOR_GRAY2RGB)

    def settled_controls(self) -> dict[str, Any]:
        """Return exposure and gain; white balance is fixed in the configuration."""
        has = self._core.hasProperty
        return {name: self._core.getProperty(self._camera, name) for name in _SETTINGS if has(self._camera, name)}

    def interrupt(self) -> None:
        """End a `grab` in another thread."""
        self._stop.set()

    def release(self) -> None:
        """Stop the camera and unload its drivers; the core's threads live as long as anybody holds it."""
        if self._core.isSequenceRunning():
            self._core.stopSequenceAcquisition()
        self._core.reset()
        del self._core

    def _in_8_bits(self, picture: np.ndarray) -> np.ndarray:
        return picture if picture.dtype == np.uint8 else (picture >> max(0, self._bits - 8)).astype(np.uint8)


def _loaded(name: CameraName) -> Any:
    pymmcore = KIND.load(name)
    configuration = Path(name.target)
    if not configuration.is_file():
        raise CameraError(f"camera {name.text}: no such file; give Micro-Manager's configuration, MMConfig_....cfg")
    core = pymmcore.CMMCore()
    core.setDeviceAdapterSearchPaths([name.options.get("adapters") or str(configuration.absolute().parent)])
    try:
        core.loadSystemConfiguration(str(configuration))
    except (RuntimeError, OSError) as error:
        core.reset()
        raise CameraError(
            f"camera {name.text} cannot be loaded: {_first_line(error)}; its adapters are looked for beside the "
            f"configuration or in ?adapters=FOLDER, of {core.getAPIVersionInfo()}"
        ) from error
    if not core.getCameraDevice():
        core.reset()
        raise CameraError(f"camera {name.text}: this configuration has no default camera (Core-Camera)")
    return core


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


KIND = CameraKind(
    name="micromanager",
    help="the camera of a Micro-Manager configuration, on a desktop",
    usage="micromanager:CONFIG",
    options={"adapters": "folder of Micro-Manager's device adapters, where it is not that of the configuration"},
    open=live(lambda name, request: MicroManagerSource(name, request.size, request.controls)),
    identify=lambda name: CameraIdentity(f"micromanager:{Path(name.target).absolute()}"),
    takes_controls=True,
    module="pymmcore",
    install="pip install 'smearscope[micromanager]'",
)
