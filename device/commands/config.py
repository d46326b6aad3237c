"""`smearscope config`: check the settings file, show the settings in force, print their schema."""

import json
import sys
from pathlib import Path

import click

from device.commands.options import config_option, data_option, settings_and_data
from device.screen.navigation.screen_lock import is_set, set_pin
from device.settings import Settings, parse_settings, read_settings_file, settings_file
from device.settings_changes import FILE
from device.settings_checks import check_on_machine
from device.settings_toml import to_toml, values_of


@click.group()
def command() -> None:
    """Check, show or describe the settings."""


@command.command()
@config_option
def check(config_path: Path | None) -> None:
    """Check the settings file; every fault is reported with its line.

    Names of cameras, displays and runtimes are checked against those that are installed, plugins included; the bundle
    that would be used must be there, whole and with the level; the disk must be larger than what stays free.
    """
    path = settings_file(config_path)
    if path is None:
        click.echo("no settings file: the defaults are in force")
        return
    text = read_settings_file(path)
    settings = parse_settings(text)
    faults = check_on_machine(settings, text) if isinstance(settings, Settings) else settings
    if not faults:
        click.echo(f"{path}: ok")
        return
    for fault in faults:
        place = f"{path}:{fault.line}" if fault.line else str(path)
        click.echo(f"{place}: {fault.text}", err=True)
    count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    click.echo(f"smearscope: {count} in {path}; correct and check again", err=True)
    sys.exit(1)


@command.command()
@config_option
@data_option
def show(config_path: Path | None, data_path: Path | None) -> None:
    """Print the settings in force, as a file to edit and use."""
    settings, data = settings_and_data(config_path, data_path)
    click.echo(f"# settings from {settings_file(config_path) or 'the defaults: there is no file'}")
    click.echo(f"# data folder in use: {data}; its {FILE}, if it is there, holds what was changed in the browser\n")
    click.echo(to_toml(values_of(settings)))


@command.command(name="reset-pin")
@config_option
@data_option
def reset_pin(config_path: Path | None, data_path: Path | None) -> None:
    """Forget the PIN of the screen: a locked one takes any, and locks no more until another is set."""
    _, folder = settings_and_data(config_path, data_path)
    click.echo("the PIN is forgotten" if is_set(folder) else f"no PIN is set in {folder}")
    set_pin(folder, "")


@command.command()
def schema() -> None:
    """Print the JSON schema of the settings file."""
    click.echo(json.dumps(Settings.model_json_schema(), indent=2, allow_nan=False))
