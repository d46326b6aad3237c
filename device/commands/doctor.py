"""`smearscope doctor`: one line per part, and what to do about those that are not ok."""

import sys
from dataclasses import asdict
from pathlib import Path

import click

from device.commands.options import (
    camera_option,
    config_option,
    data_option,
    display_option,
    json_text,
    settings_and_data,
)
from device.diagnostics import State, examine
from smear.output_files import printable

COLOURS = {State.OK: "green", State.WORKS_WITHOUT: "yellow", State.NOT_OK: "red"}


@click.command()
@camera_option
@display_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@data_option
@config_option
def command(
    camera: str | None, display: str | None, as_json: bool, data_path: Path | None, config_path: Path | None
) -> None:
    """Check this machine and say what to fix.

    Each part is ok, not ok, or one that the device works without. Exit code 1: a part is not ok; else 0.
    """
    settings, data = settings_and_data(config_path, data_path)
    checks = examine(settings, data, camera, display)
    for check in checks:
        if as_json:
            click.echo(json_text(asdict(check)))
            continue
        word = click.style(f"{check.state:13}", fg=COLOURS[check.state])
        click.echo(f"{word}  {check.name:12}  {printable(check.text)}")
    if any(check.state is State.NOT_OK for check in checks):
        sys.exit(1)
