"""The group that every command of `smearscope cells` belongs to, and how a cell is named."""

import os
import re
from pathlib import Path
from typing import Any

import click

from device.commands.options import config_option, data_option
from device.reporting.cell_pictures import picture_of_cell
from device.store import CellRecord, Store
from smear.images import encode_output
from smear.output_files import printable, write_atomic

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


class _Png(click.Path):
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if path.suffix.lower() != ".png":
            self.fail(f"{printable(path)}: the picture is a PNG; give a name that ends in .png", param, ctx)
        return path


PNG = _Png(path_type=Path, dir_okay=False)


def write_picture(store: Store, cell: CellRecord, path: Path) -> None:
    """Write the picture of a cell to the file `path`."""
    write_atomic(path, encode_output(picture_of_cell(store, cell)))


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
