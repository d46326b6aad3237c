"""`smearscope config`: check the settings file, show the settings in force, print their schema."""

import json
import sys
from pathlib import Path

import click

from device.commands.options import config_option, data_option
from device.settings import (
    Settings,
    data_folder,
    load_settings,
    parse_settings,
    settings_file,
    to_toml,
    unknown_names,
)
from smear.errors import SettingsError


@click.group()
def command() -> None:
    """Check, show or describe the settings."""


@command.command()
@config_option
def check(config_path: Path | None) -> None:
    """Check the settings file; every fault is reported with its line.

    Names of cameras, displays and runtimes are checked against those that are installed, plugins included.
    """
    path = settings_file(config_path)
    if path is None:
        click.echo("no settings file: the defaults are in force")
        return
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"settings {path}: cannot be read ({error}); give a UTF-8 text file") from error
    settings = parse_settings(text)
    faults = unknown_names(settings, text) if isinstance(settings, Settings) else settings
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
    settings = load_settings(config_path)
    click.echo(f"# settings from {settings_file(config_path) or 'the defaults: there is no file'}")
    click.echo(f"# data folder in use: {data_folder(settings, data_path)}\n")
    click.echo(to_toml(settings))


@command.command()
def schema() -> None:
    """Print the JSON schema of the settings file."""
    click.echo(json.dumps(Settings.model_json_schema(), indent=2))
