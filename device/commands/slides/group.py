"""The group that every command of `smearscope slides` belongs to."""

from pathlib import Path

import click

from device.commands.options import config_option, data_option


@click.group()
@data_option
@config_option
@click.pass_context
def command(ctx: click.Context, data_path: Path | None, config_path: Path | None) -> None:
    """List, show, export, review, edit, keep or delete slides. SLIDE is the number of a slide, or its name."""
    ctx.obj = data_path, config_path
