"""The group that every command of `smearscope slides` belongs to."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from device.commands.options import LAST_NUMBER, config_option, data_option
from device.store import Store
from smear.errors import StoreError


def slide_number(store: Store, name: str, left: Callable[[int], Sequence[object]]) -> int:
    """Return the number of the slide called `name`; also of a deleted one, of which `left` returns what stayed.

    Raises:
        StoreError: there is none.
    """
    try:
        return store.slide_called(name).id
    except StoreError:
        if not name.isdecimal() or int(name) > LAST_NUMBER or not left(int(name)):
            raise
        return int(name)


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
