"""The kinds of cameras, and opening one by name: `picamera2:0`, `v4l2:/dev/video0`, `files:PATH`, `simulated:7`."""

from collections.abc import Mapping
from typing import Any

from device.cameras import files, picamera2, simulated, v4l2
from device.cameras.autodetect import open_first
from device.cameras.base import Camera, CameraKind, CameraRequest
from device.cameras.uri import CameraName, parse_name
from smear.errors import CameraError
from smear.registry import Registry


def _open_auto(name: CameraName, request: CameraRequest) -> Camera:
    return open_first(attached_cameras(), lambda candidate: _open(candidate, request))


AUTO = CameraKind(
    name="auto",
    help="the first camera that opens: picamera2, then v4l2; never the simulated microscope",
    open=_open_auto,
    takes_controls=True,
)
CAMERAS = Registry(
    "smearscope.cameras",
    CameraKind,
    (AUTO, picamera2.KIND, v4l2.KIND, files.KIND, simulated.KIND),
    what="camera",
    error=CameraError,
)


def open_camera(
    name: str,
    *,
    pixel_size_um: float | None = None,
    size: tuple[int, int] | None = None,
    controls: Mapping[str, Any] | None = None,
) -> Camera:
    """Open the camera called `name`.

    `pixel_size_um` is the edge of one pixel on the slide where it is known. `size` (width, height) is a request, and
    files keep their own. `controls` are fixed settings in the camera's own words, such as libcamera's "ExposureTime"
    or OpenCV's "EXPOSURE"; a kind that takes none ignores them.

    Raises:
        CameraError: there is no such kind or camera, or it cannot be opened.
    """
    return _open(name, CameraRequest(pixel_size_um, size, controls or {}))


def camera_kind(name: str) -> CameraKind:
    """Return the kind of the camera called `name`, which need not be attached.

    Raises:
        CameraError: there is no such kind, or it does not know an option in `name`.
    """
    return _parsed(name)[1]


def attached_cameras() -> list[str]:
    """Return the names that `auto` tries, in this order."""
    return [name for kind in CAMERAS.all() for name in kind.attached()]


def _open(name: str, request: CameraRequest) -> Camera:
    parsed, kind = _parsed(name)
    if not kind.takes_controls:
        request = CameraRequest(request.pixel_size_um, request.size)
    return kind.open(parsed, request)


def _parsed(name: str) -> tuple[CameraName, CameraKind]:
    parsed = parse_name(name)
    kind = CAMERAS.find(parsed.kind)
    parsed.require_options(kind.options)
    return parsed, kind
