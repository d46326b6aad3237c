"""The group that every command of `smearscope cells` belongs to, and how a cell is named."""

import re
from pathlib import Path

import click

from device.commands.options import config_option, data_option

_PLACE = re.compile(r"([0-9]{1,18})\.([0-9]{1,18})", re.ASCII)


def cell_place(name: str) -> tuple[int, int]:
    """Return the number of the field, and that of the cell in it, of the cell called `name`.

    Raises:
        click.BadParameter: it is not FIELD.NUMBER.
    """
    match = _PLACE.fullmatch(name)
    if match is None:
        raise click.BadParameter(f"{name!r} is no cell; its name is FIELD.NUMBER, as in 12.3")
    return int(match[1]), int(match[2])


@click.group()
@data_option
@config_option
@click.pass_context
def command(ctx: click.Context, data_path: Path | None, config_path: Path | None) -> None:
    """List, show and classify the cells of accepted fields.

    CELL is FIELD.NUMBER, as in 12.3; SLIDE is the number of a slide, or its name. The device finds and sorts cells, a
    person classifies them: the network's opinion of a cell is not calibrated, and counts nothing.
    """
    ctx.obj = data_path, config_path
