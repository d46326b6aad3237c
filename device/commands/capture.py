"""`smearscope capture`: one field now: its photograph, an overlay and the result."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from device.cameras.base import Camera
from device.cameras.calibration import Corrector, ProfileStore
from device.cameras.calibration.selection import open_calibrated
from device.commands.options import (
    camera_option,
    config_option,
    data_option,
    model_options,
    objective_option,
    open_source,
    settings_and_data,
    settle,
)
from device.control.client import ask
from device.model_choice import NO_CHOICE, ModelChoice, open_processor
from device.reporting.tables import SIMULATED
from device.settings import Settings
from device.system.clock import SystemClock
from smear import RESEARCH_USE_ONLY
from smear.errors import CameraError
from smear.images import encode, encode_output
from smear.inference.overlay import draw_overlay, finding_json
from smear.output_files import OutputFolder, printable

if TYPE_CHECKING:
    from smear.inference.frame_processor import FrameProcessor

JPEG_QUALITY = 98  # a single photograph is for looking at, not for filling a card


@click.command()
@camera_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("captures"),
    show_default=True,
    help="Folder for the three files.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
@objective_option
@model_options
@data_option
@config_option
def command(
    camera: str | None,
    out: Path,
    as_json: bool,
    objective: str | None,
    choice: ModelChoice,
    data_path: Path | None,
    config_path: Path | None,
) -> None:
    """Take and examine one field now.

    Asks the running device where there is one and neither a camera, an objective nor a model is named; else opens
    the camera.
    Writes NAME.jpg (the photograph), NAME-overlay.png (cells outlined) and NAME.json (the result).
    """
    if str(out) == "-":
        raise click.UsageError("--out takes a folder: three files cannot be one stream; --json prints the result")
    settings, data = settings_and_data(config_path, data_path)
    shot = None
    if camera is None and objective is None and choice == NO_CHOICE:  # else a device set so is wanted
        shot = _asked(data, only=data_path is not None)
    if shot is None:
        shot = _taken(settings, data, camera, objective, open_processor(settings, data, choice))
    _write(shot, out, as_json)


@dataclass(frozen=True, slots=True)
class Shot:
    """One field with what was found in it, from the running device or from a camera of one's own."""

    photograph: bytes  # JPEG
    overlay: bytes  # PNG
    result: dict[str, Any]
    about: dict[str, Any]  # camera, simulated, wall_time_s, calibration, warnings


def _asked(data: Path, only: bool) -> Shot | None:
    """Ask the running device; None where none runs."""
    found = ask(data, "capture", only=only, jpeg_quality=JPEG_QUALITY)
    if found is None:
        return None
    photograph, overlay, result = found.pop("photograph"), found.pop("overlay"), found.pop("result")
    return Shot(photograph, overlay, result, found)


def _taken(
    settings: Settings, data: Path, camera: str | None, objective: str | None, processor: "FrameProcessor"
) -> Shot:
    """Open the camera, take a field and examine it."""
    try:
        source, corrector = _opened(settings, data, camera, objective)
        try:
            settle(source, settings)
            frame = source.read(settings.camera.timeout_s)
        finally:
            source.close()
        processor.use(corrector)
        processed = processor.process(frame)
    finally:
        processor.close()
    warnings = corrector.warnings(frame, processed.finding)
    frame, finding = processed.frame, processed.finding
    about = {
        "camera": source.name,
        "simulated": source.simulated,
        "wall_time_s": frame.wall_time_s,
        "calibration": corrector.applied_id,
        "warnings": list(warnings),
    }
    photograph = encode(frame.image, ".jpg", JPEG_QUALITY)
    return Shot(photograph, encode_output(draw_overlay(frame.image, finding)), finding_json("", finding), about)


def _opened(settings: Settings, data: Path, camera: str | None, objective: str | None) -> tuple[Camera, Corrector]:
    profiles = ProfileStore(data)
    try:
        return open_calibrated(
            lambda controls: open_source(settings, camera, controls),
            profiles,
            objective or profiles.objective(),
            SystemClock().wall_s(),
            lambda text: None,  # said with the result
        )
    except CameraError as error:
        if camera is None:
            raise CameraError(f"no device is running here that could be asked, and {error}") from error
        raise


def _write(shot: Shot, out: Path, as_json: bool) -> None:
    """Write the three files and say what is in them."""
    stem = datetime.now().astimezone().strftime("field-%Y%m%dT%H%M%S-%f")
    names = [f"{stem}{end}" for end in (".jpg", "-overlay.png", ".json")]
    photograph, overlay, _ = paths = [printable(out / name) for name in names]
    whole = shot.result | {"image": photograph} | shot.about | {"overlay": overlay, "notice": RESEARCH_USE_ONLY}
    text = json.dumps(whole, allow_nan=False)
    with OutputFolder(out, create=True) as folder:
        for name, content in zip(names, (shot.photograph, shot.overlay, f"{text}\n".encode()), strict=True):
            folder.write(name, content, lambda head: False)
    for warning in whole["warnings"]:
        click.echo(f"smearscope: {warning}", err=True)
    if as_json:
        click.echo(text)
        return
    if whole["simulated"]:
        click.echo(SIMULATED)
    site = whole["site"]
    mark = f", {site['warning']}" if site and not site["checked"] else ""
    said = (
        f"{whole['label']}{mark}"
        if whole["label"]
        else f"refused ({'; '.join(each['advice'] for each in whole['refusals']) or 'nothing found'})"
    )
    click.echo(f"{said}; {len(whole['cells'])} leukocytes; {RESEARCH_USE_ONLY}")
    for path in paths:
        click.echo(f"wrote {path}")
