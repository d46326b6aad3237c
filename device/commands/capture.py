"""`smearscope capture`: one field now: its photograph, an overlay and the result."""

import json
from datetime import datetime
from pathlib import Path

import click

from device.commands.options import (
    camera_option,
    config_option,
    data_option,
    model_options,
    open_pipeline,
    open_source,
    settings_and_data,
)
from device.report import SIMULATED
from device.result import draw_overlay, finding_json
from smear import RESEARCH_USE_ONLY
from smear.bundle import Level
from smear.errors import StoreError
from smear.images import write_atomic, write_image

SETTLE_FRAMES = 5  # of a live camera: its exposure and white balance are still moving before
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
@model_options
@data_option
@config_option
def command(
    camera: str | None,
    out: Path,
    as_json: bool,
    bundle: Path | None,
    level: Level | None,
    runtime: str | None,
    threads: int | None,
    data_path: Path | None,
    config_path: Path | None,
) -> None:
    """Take and examine one field now.

    Writes NAME.jpg (the photograph), NAME-overlay.png (cells outlined) and NAME.json (the result).
    """
    settings, data = settings_and_data(config_path, data_path)
    pipeline = open_pipeline(settings, data, bundle, level, runtime, threads)
    source = open_source(settings, camera)
    try:
        frame = source.read(settings.camera.timeout_s)
        for _ in range(SETTLE_FRAMES if source.name.startswith(("picamera2:", "v4l2:")) else 0):
            frame = source.read(settings.camera.timeout_s)
    finally:
        source.close()
    finding = pipeline.examine(frame)
    pipeline.close()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make {out}: {error.strerror}; choose another folder with --out") from error
    stem = out / datetime.now().astimezone().strftime("field-%Y%m%dT%H%M%S-%f")
    photograph, overlay, result = (Path(f"{stem}{end}") for end in (".jpg", "-overlay.png", ".json"))
    write_image(photograph, frame.image, JPEG_QUALITY)
    write_image(overlay, draw_overlay(frame.image, finding))
    whole = finding_json(str(photograph), finding) | {
        "camera": source.name,
        "simulated": source.simulated,
        "wall_time_s": frame.wall_time_s,
        "overlay": str(overlay),
    }
    text = json.dumps(whole, ensure_ascii=False)
    write_atomic(result, (text + "\n").encode())
    if as_json:
        click.echo(text)
        return
    if source.simulated:
        click.echo(SIMULATED)
    said = finding.label or f"refused ({'; '.join(finding.refusals) or 'nothing found'})"
    click.echo(f"{said}; {len(finding.cells)} leukocytes; {RESEARCH_USE_ONLY}")
    for path in (photograph, overlay, result):
        click.echo(f"wrote {path}")
