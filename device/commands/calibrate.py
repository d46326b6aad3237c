"""`smearscope calibrate`: white balance, flat field, scale and best focus of this microscope."""

from pathlib import Path
from typing import Any

import click

from device.cameras import calibration
from device.cameras.base import Camera
from device.cameras.calibration import Calibration, Corrector
from device.cameras.registry import camera_kind
from device.commands.options import (
    FiniteRange,
    camera_option,
    config_option,
    data_option,
    open_processor,
    open_source,
    settings_and_data,
    settle,
)
from device.session.control_client import ask
from device.session.control_handlers import (
    BLANK_FRAMES,
    blank_calibration,
    focus_calibration,
    scale_calibration,
    summary,
)
from device.settings import Settings
from device.system.clock import SystemClock
from smear.errors import CameraError
from smear.findings import Frame


@click.group()
def command() -> None:
    """Set white balance, flat field, scale or best focus.

    Asks the running device where there is one, else opens the camera. Each result goes into calibration.json in the
    data folder with a date and an id that every record carries.
    """


def _common(function: Any) -> Any:
    for option in (camera_option, data_option, config_option):
        function = option(function)
    return function


@command.command()
@_common
def white(**where: Any) -> None:
    """White balance, on an empty part of the slide; a Pi camera's exposure and gains are fixed from then on."""
    _calibrate({"kind": "white"}, **where)


@command.command()
@_common
def flat(**where: Any) -> None:
    """Even light, on an empty part of the slide."""
    _calibrate({"kind": "flat"}, **where)


@command.command()
@click.option("--division-um", type=FiniteRange(0.1, 10_000), metavar="F", help="Distance of two lines in view.")
@click.option("--pixel-size-um", type=FiniteRange(0.01, 10), metavar="F", help="Known already: no ruling needed.")
@_common
def scale(division_um: float | None, pixel_size_um: float | None, **where: Any) -> None:
    """Size of a pixel, from the ruling of a stage micrometre in view, or typed in."""
    if (division_um is None) == (pixel_size_um is None):
        raise click.UsageError("give --division-um of the ruling in view, or --pixel-size-um")
    _calibrate({"kind": "scale", "division_um": division_um, "pixel_size_um": pixel_size_um}, **where)


@command.command()
@_common
def focus(**where: Any) -> None:
    """Best focus, on a field with cells that is focused as well as it goes."""
    _calibrate({"kind": "focus"}, **where)


def _calibrate(request: dict[str, Any], camera: str | None, data_path: Path | None, config_path: Path | None) -> None:
    settings, data = settings_and_data(config_path, data_path)
    found = None if camera else ask(data, "calibrate", only=data_path is not None, **request)
    if found is None:
        made = _measured(request, settings, data, camera)
        found = summary(calibration.save(made, data, SystemClock().wall_s()))
    for name, value in found.items():
        if value not in (None, {}, False):
            click.echo(f"{name:14} {value}")
    if settings.camera.pixel_size_um and request["kind"] == "scale":
        click.echo("camera.pixel_size_um in the settings comes first: take it out to use this scale", err=True)


def _measured(request: dict[str, Any], settings: Settings, data: Path, camera: str | None) -> Calibration:
    """Calibrate with a camera of one's own."""
    known = calibration.load(data)
    if request.get("pixel_size_um"):
        return scale_calibration(known, request, None)
    try:
        source = open_source(settings, camera, known.controls or None)
    except CameraError as error:
        raise CameraError(f"no device is running here that could be asked, and {error}") from error
    try:
        made = _with_camera(request, known, settings, data, source)
    finally:
        source.close()
    return made.model_copy(update={"camera": source.name})


def _with_camera(
    request: dict[str, Any], known: Calibration, settings: Settings, data: Path, source: Camera
) -> Calibration:
    def read() -> Frame:
        return source.read(settings.camera.timeout_s)

    settle(source, settings)
    if request["kind"] == "scale":
        return scale_calibration(known, request, read)
    if request["kind"] == "focus":
        processor = open_processor(settings, data)
        processor.use(Corrector(known))
        processed = processor.process(read())
        processor.close()
        return focus_calibration(known, processed.finding)
    frames = [read()]
    if camera_kind(source.name).live:  # else it may be the only picture of an empty field
        frames += [read() for _ in range(BLANK_FRAMES - 1)]
    return blank_calibration(known, request["kind"], frames, source)
