"""Cameras by name: `picamera2:0`, `v4l2:/dev/video0`, `files:PATH`, `simulated:7?class=Pre`, `auto`."""

from typing import Any

from device.cameras.autodetect import open_auto
from device.cameras.base import Camera
from device.cameras.files import FilesCamera
from device.cameras.threaded_camera import LiveCamera
from device.cameras.uri import CameraName, parse_name
from smear.errors import CameraError

KINDS = {
    "picamera2": "picamera2:[index]",
    "v4l2": "v4l2:/dev/video0",
    "files": "files:PATH",
    "simulated": "simulated:[seed]",
    "auto": "auto",
}
"""Every kind of camera, and how its name is written."""


def open_camera(
    name: str,
    *,
    pixel_size_um: float | None = None,
    size: tuple[int, int] | None = None,
    controls: dict[str, Any] | None = None,
) -> Camera:
    """Open the camera called `name`.

    `pixel_size_um` is the edge of one pixel on the slide where it is known. `size` (width, height) is asked of
    cameras and of the simulated one; files keep their own. `controls` are fixed settings in the camera's own
    words: libcamera's for picamera2 ("ExposureTime"), OpenCV's for v4l2 ("EXPOSURE"); the others take none.

    Raises:
        CameraError: no such kind, no such camera, or it cannot be opened.
    """
    parsed = parse_name(name)
    match parsed.kind:
        case "auto":
            return open_auto(lambda candidate: _open_live(candidate, pixel_size_um, size, controls))
        case "picamera2" | "v4l2":
            return _open_live(parsed, pixel_size_um, size, controls)
        case "files":
            return FilesCamera(parsed, pixel_size_um)
        case "simulated":
            from device.cameras.simulated import SimulatedCamera

            return SimulatedCamera(parsed, pixel_size_um, size)
    raise CameraError(f"{name!r} is no camera; write one of: {', '.join(KINDS.values())}")


def _open_live(
    parsed: CameraName,
    pixel_size_um: float | None,
    size: tuple[int, int] | None,
    controls: dict[str, Any] | None,
) -> Camera:
    """Open a real camera; its module, and so its driver, is imported only now."""
    if parsed.kind == "picamera2":
        from device.cameras.picamera2 import Picamera2Source

        return LiveCamera(parsed.text, lambda: Picamera2Source(parsed, size, controls), pixel_size_um)
    from device.cameras.v4l2 import V4l2Source

    return LiveCamera(parsed.text, lambda: V4l2Source(parsed, size, controls), pixel_size_um)
