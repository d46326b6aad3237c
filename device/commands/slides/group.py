"""The group that every command of `smearscope slides` belongs to."""

import os
from pathlib import Path

import click

from device.commands.options import config_option, data_option


def output_path(out: Path | None, name: str) -> Path:
    """Return the file that --out means: `name` where it is left out, or in the folder that it is."""
    path = out or Path()
    return path / name if path.is_dir() or str(out).endswith(os.sep) else path


@click.group()
@data_option
@config_option
@click.pass_context
def command(ctx: click.Context, data_path: Path | None, config_path: Path | None) -> None:
    """List, show, export, review, edit, keep or delete slides. SLIDE is the number of a slide, or its name."""
    ctx.obj = data_path, config_path
