"""USB microscopes and cameras through OpenCV; also any video file that OpenCV can read."""

import contextlib
import os
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from device.cameras.base import (
    AUTOMATICS_SETTLE_FRAMES,
    CameraDetails,
    CameraIdentity,
    CameraKind,
    Grant,
    size_difference,
)
from device.cameras.opencv_capture import open_capture
from device.cameras.threaded_camera import live
from device.cameras.uri import CameraName
from device.cameras.v4l2_device import CONTROLS, inspect_device, query_capability, set_control, settled_controls
from smear.errors import CameraError

FAILED_READS = 5  # one after another; USB loses a single MJPG picture now and then, an unplugged camera gives none
READ_S = 2  # that OpenCV waits for one picture; it cannot be interrupted, so it is as long as closing waits
_DEVICE = re.compile(r"/dev/video(\d+)")
BY_ID = Path("/dev/v4l/by-id")
_NODE = re.compile(r"video\d+")
_PI_DRIVERS = ("bcm2835", "unicam", "rp1", "rpi", "pispbe")  # raw sensors, codecs and ISP: left to picamera2


class V4l2Source:
    """`v4l2:/dev/video0[?fourcc=MJPG]` or `v4l2:PATH`."""

    def __init__(
        self, name: CameraName, size: tuple[int, int] | None = None, controls: Mapping[str, Any] | None = None
    ) -> None:
        """Open the device or file.

        Raises:
            CameraError: it is missing, not permitted or in use, or lacks one of `controls`.
        """
        self._name = name
        os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(READ_S))  # read at the first picture
        target = name.target or "/dev/video0"
        device = _find_device(target)
        self._node = f"/dev/video{device}" if device is not None else ""
        self._capture = open_capture(target, device)
        if not self._capture.isOpened():
            self._capture.release()
            raise CameraError(
                f"camera {name.text}: {target} delivers no pictures; it may be in use by another program "
                f"(`fuser -v {target}`), or not a camera (`v4l2-ctl --list-devices`)"
            )
        # A device sets its own pace; a file is played at the rate it was recorded at.
        rate = self._capture.get(cv2.CAP_PROP_FPS) if device is None and Path(target).is_file() else 0.0
        self._period_s = 1 / rate if rate > 0 else 0.0
        self._stop = threading.Event()
        self._set(cv2.CAP_PROP_BUFFERSIZE, 1)  # the newest picture, not the oldest of four
        fourcc = name.options.get("fourcc")
        if fourcc:
            self._set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*fourcc[:4].ljust(4)))
        if size:
            self._set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
            self._set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])
        for control, value in (controls or {}).items():
            self._require(control, value)
        self.granted = self._granted(size, fourcc or "")

    def grab(self) -> np.ndarray:
        """Return the next picture, BGR as OpenCV decodes it."""
        if self._period_s:
            self._stop.wait(self._period_s)
        for _ in range(FAILED_READS):
            if self._stop.is_set():
                break
            done, picture = self._capture.read()
            if done and picture is not None:
                return np.asarray(picture)
        raise CameraError(f"camera {self._name.text} stopped giving pictures; check the USB cable and plug it in again")

    def to_rgb(self, raw: np.ndarray) -> np.ndarray:
        """Return RGB uint8 (H, W, 3) from BGR."""
        if raw.dtype != np.uint8 or raw.ndim != 3 or raw.shape[2] != 3:
            raise CameraError(
                f"camera {self._name.text} delivers {raw.dtype} {raw.shape}, not 8-bit colour; "
                "a stained smear needs colour: use another camera, or add ?fourcc=MJPG"
            )
        return cv2.cvtColor(raw, cv2.COLOR_BGR2RGB)

    def settled_controls(self) -> dict[str, Any]:
        """Return the controls that switch the automatics off and keep exposure, gain, white balance and focus."""
        return dict(settled_controls(self._node)) if self._node else {}

    def interrupt(self) -> None:
        """End a `grab` in another thread, whose device would be busy for the next one that opens it."""
        self._stop.set()

    def release(self) -> None:
        """Close the device."""
        self._capture.release()

    def _granted(self, size: tuple[int, int] | None, fourcc: str) -> Grant:
        across, down = (int(self._capture.get(p)) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        granted = (across, down) if across > 0 and down > 0 else None
        code = int(self._capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
        pixel_format = code.to_bytes(4, "little").decode("ascii", "replace").rstrip("\0 ")
        differences = size_difference(self._name.text, size, granted)
        if fourcc and fourcc != pixel_format:
            differences += (
                f"camera {self._name.text} delivers {pixel_format or 'another pixel format'}, not the {fourcc} asked "
                "for: leave out ?fourcc=, or choose one of 'smearscope cameras show'",
            )
        return Grant(granted, pixel_format, differences)

    def _set(self, prop: int, value: float) -> None:
        self._capture.set(prop, value)  # may be refused: the size of the frames shows what was granted

    def _require(self, control: str, value: Any) -> None:
        if self._node and control in CONTROLS:
            with contextlib.suppress(OSError):
                set_control(self._node, control, int(value))
                return
        prop = getattr(cv2, f"CAP_PROP_{control.upper()}", None)
        if prop is None or not self._capture.set(prop, float(value)):
            self._capture.release()
            raise CameraError(
                f"camera {self._name.text} does not accept the control {control}={value}; "
                "remove it from the calibration, or calibrate again with this camera"
            )


def _find_device(target: str) -> int | None:
    """Return N of /dev/videoN, also behind a link such as /dev/v4l/by-id/...; None for a file.

    Raises:
        CameraError: the path does not exist, or may not be opened.
    """
    if "://" in target:
        raise CameraError(f"camera v4l2:{target}: for a camera in the network write its address alone: {target}")
    path = Path(target)
    if not path.exists():
        raise CameraError(f"camera v4l2:{target}: no such device; plug the camera in and see `ls /dev/video*`")
    if path.is_dir():
        raise CameraError(f"camera v4l2:{target} is a folder; for the pictures in it write files:{target}")
    if not os.access(path, os.R_OK):
        raise CameraError(
            f"camera v4l2:{target} may not be opened by this user; `sudo usermod -aG video $USER`, then log in again"
        )
    match = _DEVICE.fullmatch(str(path.resolve()))
    return int(match[1]) if match else None


def capture_devices(folder: Path = Path("/dev")) -> list[str]:
    """Return the /dev/videoN that are cameras, in order, without codecs, metadata nodes and the Pi's raw sensors."""
    nodes = [path for path in folder.glob("video*") if _NODE.fullmatch(path.name)]
    return [str(path) for path in sorted(nodes, key=lambda path: int(path.name[5:])) if _is_camera(path)]


def _is_camera(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except PermissionError:
        return True  # opening it will say what to do about the permission
    except OSError:
        return False
    try:
        found = query_capability(handle)
    except OSError:
        return False
    finally:
        os.close(handle)
    return found.captures and not found.driver.startswith(_PI_DRIVERS)


def _inspect(name: CameraName) -> CameraDetails:
    target = name.target or "/dev/video0"
    if _find_device(target) is None:
        return CameraDetails()
    try:
        return inspect_device(target)
    except OSError as error:
        raise CameraError(
            f"camera {name.text}: {target} tells nothing of itself ({error.strerror}); it may be no camera"
        ) from error


def stable_path(device: str, links: Path = BY_ID) -> str:
    """Return the link to /dev/videoN that is named by vendor, model and serial, where udev made one; else `device`."""
    wanted = os.path.realpath(device)
    if _DEVICE.fullmatch(wanted) and links.is_dir():
        for link in sorted(links.iterdir()):
            if os.path.realpath(link) == wanted:
                return str(link)
    return device


def _identify(name: CameraName) -> CameraIdentity:
    target = name.target or "/dev/video0"
    return CameraIdentity(f"v4l2:{stable_path(target)}", serial_of(target))


def serial_of(device: str, classes: Path = Path("/sys/class/video4linux")) -> str:
    """Return the serial number that the USB device behind /dev/videoN reports; empty where it has none."""
    interface = classes / Path(os.path.realpath(device)).name / "device"
    try:
        return (interface.resolve().parent / "serial").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


KIND = CameraKind(
    name="v4l2",
    help="a USB microscope or camera; also any video file that OpenCV can read",
    usage="v4l2:/dev/video0",
    options={"fourcc": "pixel format to ask for, such as MJPG"},
    open=live(lambda name, request: V4l2Source(name, request.size, request.controls)),
    identify=_identify,
    inspect=_inspect,
    settle_frames=AUTOMATICS_SETTLE_FRAMES,
    takes_controls=True,
    attached=lambda: [f"v4l2:{stable_path(path)}" for path in capture_devices()],
)
