"""`smearscope config`: is the settings file right, what is in force, and what may stand in it."""

import json
import sys
from pathlib import Path

import click

from device.commands.options import config_option, data_option
from device.settings import Settings, data_folder, load_settings, parse_settings, settings_file, to_toml
from smear.errors import SettingsError


@click.group()
def command() -> None:
    """Check, show or describe the settings."""


@command.command()
@config_option
def check(config_path: Path | None) -> None:
    """Check the settings file; every fault is named with its line."""
    path = settings_file(config_path)
    if path is None:
        click.echo("no settings file: the defaults are in force")
        return
    try:
        found = parse_settings(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"settings {path}: cannot be read ({error}); give a UTF-8 text file") from error
    if isinstance(found, Settings):
        click.echo(f"{path}: ok")
        return
    for fault in found:
        place = f"{path}:{fault.line}" if fault.line else str(path)
        click.echo(f"{place}: {fault.text}", err=True)
    click.echo(f"smearscope: {len(found)} faults in {path}; correct them and check again", err=True)
    sys.exit(1)


@command.command()
@config_option
@data_option
def show(config_path: Path | None, data_path: Path | None) -> None:
    """Print the settings in force, as a file that may be edited and used."""
    settings = load_settings(config_path)
    click.echo(f"# settings from {settings_file(config_path) or 'the defaults: there is no file'}")
    click.echo(f"# data folder in use: {data_folder(settings, data_path)}\n")
    click.echo(to_toml(settings))


@command.command()
def schema() -> None:
    """Print the JSON schema of the settings file."""
    click.echo(json.dumps(Settings.model_json_schema(), indent=2))
