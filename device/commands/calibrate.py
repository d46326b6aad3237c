"""`smearscope calibrate`: white balance, flat field, scale and best focus of one camera and objective."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from device.cameras.base import Camera
from device.cameras.calibration import Calibration, Corrector, OpticalSetup, ProfileStore
from device.cameras.calibration.procedures import (
    BLANK_FRAMES,
    Measured,
    measured_blank,
    measured_focus,
    measured_scale,
    summary,
    typed,
)
from device.cameras.calibration.selection import open_calibrated, setup_of
from device.cameras.registry import camera_identity, camera_kind
from device.commands.options import (
    FiniteRange,
    camera_option,
    checked_objective,
    config_option,
    data_option,
    objective_option,
    open_source,
    settings_and_data,
    settle,
)
from device.control.client import ask
from device.model_choice import open_processor
from device.settings import Settings
from device.system.clock import SystemClock
from smear.errors import CameraError
from smear.findings import Frame


@click.group()
def command() -> None:
    """Set white balance, flat field, scale or best focus.

    Asks the running device where there is one, else opens the camera. What is measured belongs to this camera
    (name, serial number, size and format of its pictures) and to the objective, and is applied to nothing else.
    Every record carries the id of the calibration that was applied to it. Naming an objective makes it the one
    in use, as it is in the light path.
    """


def _measuring(function: Any) -> Any:
    for option in (objective_option, camera_option, data_option, config_option):
        function = option(function)
    return function


def _stored(function: Any) -> Any:
    for option in (data_option, config_option):
        function = option(function)
    return function


@command.command()
@_measuring
def white(**where: Any) -> None:
    """White balance, on an empty part of the slide; a Pi camera's exposure and gains are fixed from then on."""
    _calibrate({"kind": "white"}, **where)


@command.command()
@_measuring
def flat(**where: Any) -> None:
    """Even light, on an empty part of the slide."""
    _calibrate({"kind": "flat"}, **where)


@command.command()
@click.option("--division-um", type=FiniteRange(0.1, 10_000), metavar="F", help="Distance of two lines in view.")
@click.option("--pixel-size-um", type=FiniteRange(0.01, 10), metavar="F", help="Known already: no ruling needed.")
@_measuring
def scale(division_um: float | None, pixel_size_um: float | None, **where: Any) -> None:
    """Size of a pixel, from the ruling of a stage micrometre in view, or typed in.

    A typed size belongs to the camera of --camera or the settings, else to the first that is opened, and to the
    size of picture that it delivers then. It is not applied to any other size: that may be a crop of the sensor.
    """
    if (division_um is None) == (pixel_size_um is None):
        raise click.UsageError("give --division-um of the ruling in view, or --pixel-size-um")
    _calibrate({"kind": "scale", "division_um": division_um, "pixel_size_um": pixel_size_um}, **where)


@command.command()
@_measuring
def focus(**where: Any) -> None:
    """Best focus, on a field with cells that is focused as well as it goes."""
    _calibrate({"kind": "focus"}, **where)


@command.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@_stored
def list_(as_json: bool, data_path: Path | None, config_path: Path | None) -> None:
    """List the calibrations, newest first, each with what it belongs to."""
    profiles = ProfileStore(settings_and_data(config_path, data_path)[1])
    found, faults = profiles.read()
    for each in found:
        parts = [name for name in ("white", "flat", "pixel_size_um", "best_focus") if getattr(each, name) is not None]
        if as_json:
            click.echo(each.model_dump_json(exclude={"flat"}))
        else:
            click.echo(f"{each.id}  {each.setup.describe()}: {', '.join(parts) or 'nothing yet'}")
    for fault in faults:
        click.echo(f"smearscope: {fault}", err=True)
    if not as_json:
        click.echo(f"objective in use: {profiles.objective()}")
        if not found:
            click.echo("no calibrations yet; 'smearscope calibrate white' on an empty part of the slide makes one")
    if faults:
        raise click.exceptions.Exit(1)


@command.command()
@click.argument("profile", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="The whole calibration as one JSON object.")
@_stored
def show(profile: str, as_json: bool, data_path: Path | None, config_path: Path | None) -> None:
    """Show one calibration; the beginning of its id is enough."""
    found = ProfileStore(settings_and_data(config_path, data_path)[1]).named(profile)
    if as_json:
        click.echo(found.model_dump_json())
    else:
        _print(summary(found) | {"created": found.created})


@command.command()
@click.argument("first", metavar="ID")
@click.argument("second", metavar="OTHER")
@_stored
def compare(first: str, second: str, data_path: Path | None, config_path: Path | None) -> None:
    """Show in what two calibrations differ."""
    profiles = ProfileStore(settings_and_data(config_path, data_path)[1])
    one, other = (profiles.named(each).model_dump(exclude={"id", "schema_version"}) for each in (first, second))
    different = [name for name in one if one[name] != other[name]]
    for name in different:
        left, right = (_short(name, each[name]) for each in (one, other))
        click.echo(f"{name:14} {left}  |  {right}")
    if not different:
        click.echo("they do not differ")


@command.command()
@click.argument("objective", metavar="OBJECTIVE")
@_stored
def use(objective: str, data_path: Path | None, config_path: Path | None) -> None:
    """Say which objective is in the light path: its calibrations are applied from now on."""
    _, data = settings_and_data(config_path, data_path)
    checked_objective(objective)
    found = ask(data, "calibrate", only=data_path is not None, kind="use", objective=objective)
    if found is None:
        ProfileStore(data).use_objective(objective)
        found = {"objective": objective}
    _print(found)


@command.command()
@click.argument("profile", metavar="[ID]", required=False)
@click.option("--all", "everything", is_flag=True, help="Every calibration.")
@_stored
def reset(profile: str | None, everything: bool, data_path: Path | None, config_path: Path | None) -> None:
    """Delete one calibration, or all; the beginning of its id is enough."""
    if (profile is None) != everything:
        raise click.UsageError("give the ID of one calibration, see 'calibrate list', or --all")
    _, data = settings_and_data(config_path, data_path)
    found = ask(data, "calibrate", only=data_path is not None, kind="reset", profile=profile)
    removed = found["removed"] if found else [each.id for each in ProfileStore(data).reset(profile)]
    for each in removed:
        click.echo(f"deleted {each}")


def _calibrate(
    request: dict[str, Any],
    camera: str | None,
    objective: str | None,
    data_path: Path | None,
    config_path: Path | None,
) -> None:
    settings, data = settings_and_data(config_path, data_path)
    found = None if camera else ask(data, "calibrate", only=data_path is not None, objective=objective, **request)
    if found is None:
        found = summary(_without_a_device(request, settings, data, camera, objective))
    _print(found)
    if settings.camera.pixel_size_um and request["kind"] == "scale":
        click.echo("camera.pixel_size_um in the settings comes first: take it out to use this scale", err=True)


def _without_a_device(
    request: dict[str, Any], settings: Settings, data: Path, camera: str | None, objective: str | None
) -> Calibration:
    """Calibrate with a camera of one's own; a typed scale needs none."""
    profiles, wall_s = ProfileStore(data), SystemClock().wall_s()
    in_use = objective or profiles.objective()
    if known := request.get("pixel_size_um"):
        setup = _named_setup(camera or settings.camera.name, settings, in_use)
        made = typed(known, setup.size)
    else:
        setup, made = _measured(request, settings, data, camera, in_use)
    if in_use != profiles.objective():
        profiles.use_objective(in_use)
    return profiles.update(setup, made.change, wall_s)


def _named_setup(camera: str, settings: Settings, objective: str) -> OpticalSetup:
    """Return the setup of a camera that is not opened: of `auto`, the first that will be."""
    identity = camera_identity(camera)
    if identity is None:
        return OpticalSetup(size=settings.camera.size, objective=objective)
    return OpticalSetup(identity.name, identity.serial or None, settings.camera.size, None, objective, camera)


def _measured(
    request: dict[str, Any], settings: Settings, data: Path, camera: str | None, objective: str
) -> tuple[OpticalSetup, Measured]:
    try:
        source, corrector = open_calibrated(
            lambda controls: open_source(settings, camera, controls),
            ProfileStore(data),
            objective,
            SystemClock().wall_s(),
            lambda text: click.echo(f"smearscope: {text}", err=True),
        )
    except CameraError as error:
        raise CameraError(f"no device is running here that could be asked, and {error}") from error
    try:
        settle(source, settings)
        made = _with_camera(request, settings, data, source, corrector)
        setup = setup_of(source, objective)
    finally:
        source.close()
    return OpticalSetup(setup.camera, setup.serial, made.size, setup.pixel_format, objective, setup.opened_as), made


def _with_camera(
    request: dict[str, Any], settings: Settings, data: Path, source: Camera, corrector: Corrector
) -> Measured:
    def frames() -> Iterator[Frame]:
        # A picture from a file may be the only one of an empty field.
        for _ in range(BLANK_FRAMES if camera_kind(source.name).live else 1):
            yield source.read(settings.camera.timeout_s)

    if request["kind"] in {"white", "flat"}:
        return measured_blank(request["kind"], frames(), source)
    frame = source.read(settings.camera.timeout_s)
    if request["kind"] == "scale":
        return measured_scale(frame, request["division_um"])
    processor = open_processor(settings, data)
    processor.use(corrector)
    processed = processor.process(frame)
    processor.close()
    return measured_focus(processed.frame, processed.finding, corrector.reference)


def _print(found: dict[str, Any]) -> None:
    for name, value in found.items():
        for each in value if name == "warnings" else [value]:
            if each not in (None, {}, False):
                click.echo(f"{'warning' if name == 'warnings' else name:14} {each}")


def _short(name: str, value: Any) -> str:
    return ("measured" if value is not None else "none") if name == "flat" else json.dumps(value, allow_nan=False)
