"""`smearscope cells list` and `show`: which cells there are, and what is known of one."""

from pathlib import Path

import click
from rich.console import Console

from device.actions.base import cell_json
from device.actions.cells import known_class, whole_cell_json
from device.commands.cells.group import PNG, cell_place, command, write_picture
from device.commands.options import FIELD, json_text, with_store, with_store_and_settings
from device.reporting.cells import OPINION, cell_lines, cell_table
from device.settings import Settings
from device.store import Store
from device.store.review.gallery import Order
from smear.output_files import printable

order_option = click.option(
    "--order",
    type=click.Choice(("taken", "opinion")),
    default="taken",
    show_default=True,
    help="As the fields were taken, or by the network's opinion, which is not calibrated.",
)


@command.command(name="list")
@click.argument("slide_name", metavar="SLIDE")
@click.option("--class", "class_name", metavar="CLASS", help="Only those that a person last called so; name or key.")
@click.option("--unclassified", is_flag=True, help="Only those that nobody has classified.")
@order_option
@click.option("--after", type=cell_place, metavar="CELL", help="Only those after this one.")
@click.option("--limit", type=FIELD, default=20, show_default=True, help="Cells to list.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@with_store_and_settings
def list_(
    store: Store,
    settings: Settings,
    slide_name: str,
    class_name: str | None,
    unclassified: bool,
    order: Order,
    after: tuple[int, int] | None,
    limit: int,
    as_json: bool,
) -> None:
    """List the cells of a slide that may be counted: those of accepted fields."""
    if unclassified and class_name is not None:
        raise click.UsageError("give --class or --unclassified, not both")
    slide = store.slide_called(slide_name)
    wanted = None if class_name is None else known_class(store, slide.id, settings.cells.classes, class_name)
    cells = store.browse(slide.id, cell_class=wanted, unclassified=unclassified, order=order, after=after, limit=limit)
    if as_json:
        for cell in cells:
            click.echo(json_text(cell_json(cell)))
        return
    if not cells:
        click.echo(
            f"slide {slide.id} ({slide.name}): no such cells" + (f" after {after[0]}.{after[1]}" if after else "")
        )
        return
    Console().print(cell_table(cells, slide))
    click.echo(OPINION)
    if len(cells) == limit:
        click.echo(f"more cells: the same command with --after {cells[-1].name}")


@command.command()
@click.argument("place", metavar="CELL", type=cell_place)
@click.option("--out", type=PNG, help="Write its picture, a PNG, to this file.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@with_store
def show(store: Store, place: tuple[int, int], out: Path | None, as_json: bool) -> None:
    """Show what is known of a cell: its measures, what people called it, and its picture with the outline."""
    cell = store.cell(*place)
    if out is not None:
        write_picture(store, cell, out)
    if as_json:
        click.echo(json_text(whole_cell_json(store, cell)))
        return
    said, events = store.said_of_cell(*place), store.events_of_cell(*place)
    for line in cell_lines(cell, store.field(cell.field_id), store.slide(cell.slide_id), said, events):
        click.echo(line)
    if out is not None:
        click.echo(f"wrote {printable(out)}")
