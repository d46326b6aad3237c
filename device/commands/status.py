"""`smearscope status`: how the running device does."""

import json
from pathlib import Path
from typing import Any

import click

from device.commands.options import config_option, data_option, settings_and_data
from device.session.control_client import ask
from device.session.control_protocol import ControlError

NOBODY = "no device is running here: start one with 'smearscope run', or see 'systemctl status smearscope'"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print it as one JSON object.")
@data_option
@config_option
def command(as_json: bool, data_path: Path | None, config_path: Path | None) -> None:
    """Ask the running device how it does.

    Exit code 0: it examines fields; 1: nobody runs, or something is wrong.
    """
    _, data = settings_and_data(config_path, data_path)
    found = ask(data, "status", only=data_path is not None)
    if found is None:
        raise ControlError(NOBODY)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, allow_nan=False))
    else:
        _show(found)
    if found["faults"] or found["camera_lost"]:
        raise click.exceptions.Exit(1)


def _show(found: dict[str, Any]) -> None:
    simulated = " (SIMULATED)" if found["simulated"] else ""
    said = found["label"] or "; ".join(each["advice"] for each in found["refusals"]) or "nothing yet"
    lines = {
        "fields": f"{found['fields']} examined in {found['running_s']} s, {found['not_stored']} not stored",
        "camera": f"{found['camera']}{simulated}" + (": NO PICTURE" if found["camera_lost"] else ""),
        "slide": f"{found['slide'] or 'none open'}, {found['accepted']} accepted, {found['refused']} refused",
        "last field": said,
        "model": f"{found['level']} · {found['runtime']} · bundle {str(found['bundle_sha256'])[:8]}",
        "calibration": f"{found['calibration'] or 'none'}, objective {found['objective']}",
        "data": found["data"],
    }
    for name, text in lines.items():
        click.echo(f"{name:12} {text}")
    for text in found["warnings"]:
        click.echo(f"{'warning':12} {text}")
    for part, text in found["faults"].items():
        click.echo(f"{'NOT OK':12} {part}: {text}")
