"""`smearscope status`: the state of the running device."""

from pathlib import Path
from typing import Any

import click

from device.commands.options import config_option, data_option, json_text, settings_and_data
from device.control.client import ask
from device.control.protocol import ControlError
from device.quality_control.measurements import NOT_CLEARED_TODAY

NOT_RUNNING = "no device is running here: start one with 'smearscope run', or see 'systemctl status smearscope'"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print it as one JSON object.")
@data_option
@config_option
def command(as_json: bool, data_path: Path | None, config_path: Path | None) -> None:
    """Print the state of the running device.

    Exit code 0: it examines fields; 1: no device is running, or it has a fault.
    """
    _, data = settings_and_data(config_path, data_path)
    state = ask(data, "status", only=data_path is not None)
    if state is None:
        raise ControlError(NOT_RUNNING)
    if as_json:
        click.echo(json_text(state))
    else:
        _print(state)
    if state["faults"] or state["camera_lost"]:
        raise click.exceptions.Exit(1)


def _print(state: dict[str, Any]) -> None:
    simulated = " (SIMULATED)" if state["simulated"] else ""
    last = state["label"] or "; ".join(each["advice"] for each in state["refusals"]) or "nothing yet"
    lines = {
        "fields": f"{state['fields']} examined in {state['running_s']} s, {state['not_stored']} not stored",
        "camera": f"{state['camera']}{simulated}" + (": NO PICTURE" if state["camera_lost"] else ""),
        "slide": f"{state['slide'] or 'none open'}, {state['accepted']} accepted, {state['refused']} refused",
        "last field": last,
        "model": f"{state['level']} · {state['runtime']} · bundle {str(state['bundle_sha256'])[:8]}",
        "calibration": f"{state['calibration'] or 'none'}, objective {state['objective']}",
        "data": state["data"],
    }
    if (qc := state["qc"]) is not None:
        lines["QC"] = "cleared today" if qc["cleared"] else f"{NOT_CLEARED_TODAY}: {'; '.join(qc['reasons'])}"
    for name, text in lines.items():
        click.echo(f"{name:12} {text}")
    for text in state["warnings"]:
        click.echo(f"{'warning':12} {text}")
    for part, text in state["faults"].items():
        click.echo(f"{'NOT OK':12} {part}: {text}")
