"""`auto`: the first real camera that opens. Never a simulated one: a person must ask for that."""

import fcntl
import os
import re
import struct
from collections.abc import Callable
from pathlib import Path

from device.cameras.base import Camera
from device.cameras.uri import CameraName, parse_name
from smear.errors import CameraError

_VIDIOC_QUERYCAP = 0x80685600  # videodev2.h: _IOR('V', 0, struct v4l2_capability), 104 bytes
_CAPABILITY = struct.Struct("16s32s32sIII12x")  # driver, card, bus, version, capabilities, device_caps
_VIDEO_CAPTURE = 0x00000001
_NODE = re.compile(r"video\d+")
_OF_THE_PI = ("bcm2835", "unicam", "rp1", "rpi", "pispbe")  # raw sensor, codec and ISP nodes: picamera2's business


def open_auto(open_live: Callable[[CameraName], Camera], find_devices: Callable[[], list[str]] | None = None) -> Camera:
    """Open the first camera of picamera2, then of the V4L2 capture devices.

    Raises:
        CameraError: there is none; says what was tried.
    """
    tried: list[str] = []
    for name in ["picamera2:0", *(f"v4l2:{path}" for path in (find_devices or capture_devices)())]:
        try:
            return open_live(parse_name(name))
        except CameraError as error:
            tried.append(str(error))
    if len(tried) == 1:
        tried.append("no USB camera among /dev/video*")
    raise CameraError(
        f"no camera found: {'; '.join(tried)}. Connect one, or name one with --camera "
        "(--camera simulated: for the simulated microscope)"
    )


def capture_devices(folder: Path = Path("/dev")) -> list[str]:
    """Return /dev/videoN of the cameras, in order; codecs, metadata nodes and the Pi's raw sensors left out."""
    nodes = [path for path in folder.glob("video*") if _NODE.fullmatch(path.name)]
    return [str(path) for path in sorted(nodes, key=lambda path: int(path.name[5:])) if _is_camera(path)]


def _is_camera(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except PermissionError:
        return True  # let opening it say what to do about the permission
    except OSError:
        return False
    answer = bytearray(_CAPABILITY.size)
    try:
        fcntl.ioctl(handle, _VIDIOC_QUERYCAP, answer)
    except OSError:
        return False
    finally:
        os.close(handle)
    driver, _, _, _, _, capabilities = _CAPABILITY.unpack(answer)
    return bool(capabilities & _VIDEO_CAPTURE) and not driver.startswith(tuple(p.encode() for p in _OF_THE_PI))
