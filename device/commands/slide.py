"""`smearscope slide`: start or end a slide on the running device."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from device.commands.options import config_option, data_option, details_options, operator_option, settings_and_data
from device.commands.status import NOT_RUNNING
from device.control.client import ask
from device.control.protocol import ControlError
from device.store.records import SlideDetails


@click.group()
def command() -> None:
    """Start or end a slide on the running device."""


@command.command()
@click.argument("name")
@operator_option
@details_options
@data_option
@config_option
def start(name: str, details: SlideDetails, data_path: Path | None, config_path: Path | None) -> None:
    """Start the slide NAME; an open one is ended. Give it the number on the glass, and no patient's name."""
    found = _ask("slide start", data_path, config_path, name=name, **asdict(details))
    click.echo(f"slide {found['slide']} started: {found['name']}")


@command.command()
@data_option
@config_option
def end(data_path: Path | None, config_path: Path | None) -> None:
    """End the open slide; fields are shown, but not recorded, until the next one is started."""
    found = _ask("slide end", data_path, config_path)
    click.echo(f"slide {found['slide']} ended (smearscope slides show {found['slide']})")


def _ask(what: str, data_path: Path | None, config_path: Path | None, **values: Any) -> dict[str, Any]:
    _, data = settings_and_data(config_path, data_path)
    found = ask(data, what, only=data_path is not None, **values)
    if found is None:
        raise ControlError(NOT_RUNNING)
    return found
