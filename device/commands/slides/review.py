"""`smearscope slides review`: what a person says of fields."""

import click

from device.commands.options import FIELD, with_store
from device.commands.slides.group import command
from device.store import Store
from device.store.rows import NONE_OF_THEM
from smear.classes import LABELS
from smear.output_files import printable


@command.command()
@click.argument("field_id", metavar="[FIELD]", type=FIELD, required=False)
@click.option("--label", type=click.Choice(LABELS, case_sensitive=False), help="What it is.")
@click.option("--none", "none_of_them", is_flag=True, help="It is none of the classes.")
@click.option("--ask", is_flag=True, help="Put it into the queue.")
@click.option("--limit", type=FIELD, default=20, show_default=True, help="Fields to list.")
@with_store
def review(store: Store, field_id: int | None, label: str | None, none_of_them: bool, ask: bool, limit: int) -> None:
    """List the fields that wait for a person, or say what FIELD is."""
    if field_id is None:
        if label is not None or none_of_them or ask:
            raise click.UsageError("which field? 'smearscope slides review' lists those that wait")
        waiting = store.to_review(limit)
        for record in waiting:
            why = "; ".join(map(str, record.refusals)) or "asked for"
            photograph = printable(store.image_path(record) or "no photograph")
            click.echo(f"field {record.id}  slide {record.slide_id}  {photograph}  {why}")
        click.echo(f"{len(waiting)} waiting" + ("; say: smearscope slides review FIELD --label Pre" if waiting else ""))
        return
    if (label is not None) + none_of_them + ask != 1:
        raise click.UsageError("say one of --label CLASS, --none or --ask")
    store.field(field_id)  # a clear error where there is none
    store.set_review(field_id, wanted=ask, label=NONE_OF_THEM if none_of_them else label)
    click.echo(f"field {field_id}: " + ("waits for review" if ask else f"reviewed as {label or 'none of the classes'}"))
