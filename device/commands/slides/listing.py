"""`smearscope slides list` and `show`: what was recorded."""

import click
from rich.console import Console

from device.actions.base import Context
from device.actions.slides import counted, slide_with_work
from device.commands.options import FIELD, json_text, with_store_and_settings
from device.commands.slides.group import command
from device.reporting.counts import classified_lines, state_lines
from device.reporting.tables import field_table, slide_summary, slide_table
from device.settings import Settings
from device.store import Store
from device.store.names import LAST_NUMBER
from smear.output_files import printable


@command.command(name="list")
@click.option("--limit", type=FIELD, default=20, show_default=True, help="Newest slides to list.")
@click.option("--before", type=FIELD, metavar="SLIDE", help="Only slides older than this one.")
@click.option("--search", metavar="TEXT", help="Only slides whose name, operator, stain, specimen or note holds TEXT.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@with_store_and_settings
def list_(store: Store, settings: Settings, limit: int, before: int | None, search: str | None, as_json: bool) -> None:
    """List the slides, newest first."""
    context = Context(store, settings)
    slides = store.slides(limit, before) if search is None else store.find_slides(search, limit, before)
    if as_json:
        for slide in slides:
            click.echo(json_text(slide_with_work(context, slide)))
    elif slides:
        Console().print(slide_table(slides, {slide.id: counted(context, slide).state for slide in slides}))
    elif search is None and before is None:
        click.echo("no slides yet; 'smearscope run' records one")
    else:
        older = "" if before is None else f" older than slide {before}"
        what = "" if search is None else f" with {printable(search)!r} in its name, operator, stain, specimen or note"
        click.echo(f"no slide{older}{what}")


@command.command()
@click.argument("slide_name", metavar="SLIDE")
@click.option("--limit", type=click.IntRange(0, LAST_NUMBER), default=20, show_default=True, help="Fields to show.")
@click.option(
    "--after",
    type=click.IntRange(0, LAST_NUMBER),
    default=0,
    metavar="FIELD",
    help="Only fields recorded after this one.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@with_store_and_settings
def show(store: Store, settings: Settings, slide_name: str, limit: int, after: int, as_json: bool) -> None:
    """Sum up one slide and list its fields."""
    context, slide = Context(store, settings), store.slide_called(slide_name)
    fields = store.fields(slide.id, limit, after)
    if as_json:
        shown = slide_with_work(context, slide) | {"fields": [record.to_json() for record in fields]}
        click.echo(json_text(shown))
        return
    console = Console()
    if fields:
        console.print(field_table(fields, slide, store.classified_by_field(slide.id)))
    elif after and limit:
        click.echo(f"slide {slide.id} ({slide.name}): no fields after {after}")
    work = [*classified_lines(store.class_totals(slide.id)), *state_lines(counted(context, slide))]
    console.print(slide_summary(slide, store.reviewed_counts(slide.id), work))
    if fields and len(fields) == limit:
        click.echo(f"more fields: smearscope slides show {slide.id} --after {fields[-1].id}")
