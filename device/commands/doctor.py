"""`smearscope doctor`: one line per part, and what to do about those that are not ok."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from device.commands.options import camera_option, config_option, data_option, display_option, settings_and_data
from device.diagnostics import examine


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

    Exit code 1 when something that is needed is not ok. What the device works without is reported, but does not count.
    """
    settings, data = settings_and_data(config_path, data_path)
    checks = examine(settings, data, camera, display)
    for check in checks:
        if as_json:
            click.echo(json.dumps(asdict(check), ensure_ascii=False))
            continue
        word = (
            click.style("ok    ", fg="green")
            if check.ok
            else click.style("not ok", fg="red" if check.needed else "yellow")
        )
        click.echo(f"{word}  {check.name:12}  {check.text}{'' if check.ok or check.needed else ' (works without)'}")
    if any(check.needed and not check.ok for check in checks):
        sys.exit(1)
