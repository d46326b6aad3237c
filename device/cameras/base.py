"""What a camera is to the rest of the device, and what each kind of camera declares about itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

from device.cameras.uri import CameraName
from smear.errors import CameraError
from smear.findings import Frame
from smear.registry import Spec

AUTOMATICS_SETTLE_FRAMES = 20
"""Exposure and white balance of a camera come to rest within about ten frames; twice that is on the safe side and
still takes less than a second. A frame taken earlier would fix a wrong exposure in the calibration."""


class Camera(Protocol):
    """A source of fields, opened by name with `device.cameras.registry.open_camera`.

    One whose driver decides on size or pixel format also has `granted`, see `grant_of`.
    """

    name: str  # as it can be opened again: shown on the screen and stored in records
    simulated: bool  # True: the screen and every record say so

    def read(self, timeout_s: float) -> Frame:
        """Return the newest frame.

        Raises:
            CameraError: the camera was lost, or gave no frame within `timeout_s`.
            EndOfFramesError: a finite source is at its end.
            ImageError: one picture of a finite source cannot be read; the next call goes on with the next one.
        """
        ...

    def close(self) -> None:
        """Release the hardware; safe to call twice."""
        ...


@dataclass(frozen=True, slots=True)
class CameraIdentity:
    """Which camera it is, whatever number it has today."""

    name: str  # stable, such as v4l2:/dev/v4l/by-id/usb-Vendor_Model_123-video-index0
    serial: str = ""  # empty where it has none


@dataclass(frozen=True, slots=True)
class Grant:
    """What an open camera delivers, which may be something else than was asked for."""

    size: tuple[int, int] | None = None  # width, height; None: only its frames tell
    pixel_format: str = ""  # as the driver calls it, such as MJPG
    differences: tuple[str, ...] = ()  # what was asked for and is not delivered, each in a sentence


def grant_of(camera: Camera) -> Grant:
    """Return what `camera` says of itself in an attribute `granted`; nothing where it has none."""
    found = getattr(camera, "granted", None)
    return found if isinstance(found, Grant) else Grant()


def size_difference(name: str, asked: tuple[int, int] | None, granted: tuple[int, int] | None) -> tuple[str, ...]:
    """Return a sentence where the size that was `asked` for is not the one `granted`."""
    if asked is None or granted is None or asked == granted:
        return ()
    return (
        f"camera {name} delivers {granted[0]}x{granted[1]}, not the {asked[0]}x{asked[1]} asked for: see "
        f"'smearscope cameras show {name}', then change camera.width and camera.height",
    )


@dataclass(frozen=True, slots=True)
class CameraRequest:
    """How a camera is to be opened; None or empty: its own choice."""

    pixel_size_um: float | None = None  # edge of one pixel on the slide
    size: tuple[int, int] | None = None  # width, height
    controls: Mapping[str, Any] = field(default_factory=dict)  # fixed settings in the camera's own words


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """One way in which a camera delivers its pictures."""

    name: str  # as its driver calls it, such as MJPG
    description: str
    sizes: tuple[tuple[int, int], ...] = ()  # width, height; empty: not told, or any of `steps`
    steps: tuple[tuple[int, int, int], ...] = ()  # (least, most, step) of the width, then of the height

    def offers(self, size: tuple[int, int]) -> bool:
        """Tell whether a picture of `size` (width, height) can be had."""
        if not self.steps:
            return size in self.sizes
        bounds = zip(size, self.steps, strict=True)
        return all(low <= side <= high and (side - low) % step == 0 for side, (low, high, step) in bounds)


@dataclass(frozen=True, slots=True)
class Control:
    """One setting of a camera, with its value now."""

    name: str
    value: int
    minimum: int
    maximum: int
    step: int
    default: int


@dataclass(frozen=True, slots=True)
class CameraDetails:
    """What a camera offers, as far as its kind can tell without opening it for pictures."""

    model: str = ""
    formats: tuple[PixelFormat, ...] = ()
    controls: tuple[Control, ...] = ()


def _no_details(name: CameraName) -> CameraDetails:
    return CameraDetails()


def _none_attached() -> Sequence[str]:
    return ()


def _by_name(name: CameraName) -> CameraIdentity:
    return CameraIdentity(f"{name.kind}:{name.target}")


def _within_unit(name: CameraName) -> str:
    raise CameraError(f"camera {name.text} needs nothing that the service's unit does not allow already")


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraKind(Spec):
    """One kind of camera: how it is opened, and what the rest of the device must know to use it well."""

    open: Callable[[CameraName, CameraRequest], Camera]
    identify: Callable[[CameraName], CameraIdentity] = _by_name  # without opening it
    inspect: Callable[[CameraName], CameraDetails] = _no_details  # raises CameraError: there is no such camera
    options: Mapping[str, str] = field(default_factory=dict)  # what may follow `?` in the name, each with its help
    settle_frames: int = 0  # to be dropped after opening, while exposure and white balance still move
    steps_by_itself: bool = False  # every frame is another field, so none may be skipped
    takes_controls: bool = False  # fixed exposure and gains, as a calibration stores them
    live: bool = True  # gives frames without end; False: pictures that were taken before
    simulated: bool = False
    attached: Callable[[], Sequence[str]] = _none_attached
    """Names of the cameras of this kind that `auto` should try; empty for what a person must ask for."""
    drop_in: Callable[[CameraName], str] = _within_unit  # settings of systemd that let the service use this camera
    module: str = ""  # the Python module it needs; empty: none of its own
    install: str = ""  # the command that installs it

    def is_installed(self) -> bool:
        """Return whether its module can be found, without importing it."""
        return not self.module or find_spec(self.module) is not None

    def load(self, name: CameraName) -> Any:
        """Import its module.

        Raises:
            CameraError: it is not installed.
        """
        try:
            return import_module(self.module)
        except ImportError as error:
            seen = " and make the venv with --system-site-packages" if self.install.startswith("sudo apt") else ""
            raise CameraError(
                f"camera {name.text}: Python cannot import {self.module} ({error}); `{self.install}`{seen}"
            ) from error
