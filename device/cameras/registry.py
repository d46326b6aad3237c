"""The kinds of cameras, and opening one by name: `picamera2:0`, `v4l2:/dev/video0`, `http://...`, `files:PATH`."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from device.cameras import files, picamera2, simulated, v4l2
from device.cameras.base import Camera, CameraDetails, CameraIdentity, CameraKind, CameraRequest
from device.cameras.drivers import aravis, gphoto2, micromanager
from device.cameras.network import http, rtsp
from device.cameras.uri import CameraName, parse_name
from smear.errors import CameraError
from smear.registry import Registry

Controls = Mapping[str, Any]
ControlsOf = Callable[[CameraIdentity], Controls]
"""Returns the fixed settings of a camera that is about to be opened."""


def _never_opened(name: CameraName, request: CameraRequest) -> Camera:
    raise CameraError(f"camera {name.text} stands for others and is not opened itself; please report this")


AUTO = CameraKind(
    name="auto",
    help="the first camera that opens: picamera2, then v4l2; never the simulated microscope",
    open=_never_opened,
    takes_controls=True,
)
CAMERAS = Registry(
    "smearscope.cameras",
    CameraKind,
    (
        AUTO,
        picamera2.KIND,
        v4l2.KIND,
        http.HTTP,
        http.HTTPS,
        rtsp.KIND,
        aravis.KIND,
        gphoto2.KIND,
        micromanager.KIND,
        files.KIND,
        simulated.KIND,
    ),
    what="camera",
    error=CameraError,
)


def open_camera(
    name: str,
    *,
    pixel_size_um: float | None = None,
    size: tuple[int, int] | None = None,
    controls: Controls | ControlsOf | None = None,
) -> Camera:
    """Open the camera called `name`.

    `pixel_size_um` is the edge of one pixel on the slide where it is known. `size` (width, height) is a request, and
    files keep their own. `controls` are fixed settings in the camera's own words, such as libcamera's "ExposureTime"
    or V4L2's "gain", or a function that returns those of the camera that `auto` found; a kind that takes none
    ignores them.

    Raises:
        CameraError: there is no such kind or camera, or it cannot be opened.
    """
    request = CameraRequest(pixel_size_um, size)
    controls_of = controls if callable(controls) else lambda identity: controls or {}
    if _parsed(name)[1] is AUTO:
        return open_first(attached_cameras(), lambda candidate: _open(candidate, request, controls_of))
    return _open(name, request, controls_of)


def camera_identity(name: str) -> CameraIdentity | None:
    """Return which camera `name` stands for, without opening it; None for `auto`, which stands for any.

    Raises:
        CameraError: as `camera_kind`.
    """
    parsed, kind = _parsed(name)
    return None if kind is AUTO else kind.identify(parsed)


def camera_kind(name: str) -> CameraKind:
    """Return the kind of the camera called `name`, which need not be attached.

    Raises:
        CameraError: there is no such kind, or it does not know an option in `name`.
    """
    return _parsed(name)[1]


def camera_details(name: str) -> CameraDetails:
    """Return what the camera called `name` offers, without opening it for pictures.

    Raises:
        CameraError: there is no such kind or camera.
    """
    parsed, kind = _parsed(name)
    return kind.inspect(parsed)


def camera_drop_in(name: str) -> str:
    """Return the settings of systemd that the service needs for the camera called `name`.

    Raises:
        CameraError: as `camera_kind`, or it needs none, or none can be given.
    """
    parsed, kind = _parsed(name)
    return kind.drop_in(parsed)


def attached_cameras() -> list[str]:
    """Return the names that `auto` tries, in this order."""
    return [name for kind in CAMERAS.all() for name in kind.attached()]


def open_first(candidates: Iterable[str], open_named: Callable[[str], Camera]) -> Camera:
    """Open the first of `candidates`, names of cameras, that can be opened; a person must ask for a simulated one.

    Raises:
        CameraError: none can; the message says what was tried and why it failed.
    """
    failures: list[str] = []
    for name in candidates:
        try:
            return open_named(name)
        except CameraError as error:
            failures.append(str(error))
    if len(failures) < 2:
        failures.append("no USB camera among /dev/video*")
    raise CameraError(
        f"no camera found: {'; '.join(failures)}. Connect one, or name one with --camera "
        "(--camera simulated: for the simulated microscope)"
    )


def _open(name: str, request: CameraRequest, controls_of: ControlsOf) -> Camera:
    parsed, kind = _parsed(name)
    if kind.takes_controls:
        request = replace(request, controls=controls_of(kind.identify(parsed)))
    return kind.open(parsed, request)


def _parsed(name: str) -> tuple[CameraName, CameraKind]:
    parsed = parse_name(name)
    kind = CAMERAS.find(parsed.kind)
    parsed.require_options(kind.options)
    return parsed, kind
