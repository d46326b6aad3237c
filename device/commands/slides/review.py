"""`smearscope slides review`: what a person says of fields."""

import os
import sys
from pathlib import Path

import click

from device.commands.options import FIELD, operator_option, with_store
from device.commands.slides.group import command
from device.reporting.events import change_text
from device.store import FieldRecord, Store
from device.store.rows import NONE_OF_THEM
from device.system.process import has_desktop
from smear.classes import LABELS
from smear.output_files import printable


@command.command()
@click.argument("field_id", metavar="[FIELD]", type=FIELD, required=False)
@click.option("--label", type=click.Choice(LABELS, case_sensitive=False), help="What it is.")
@click.option("--none", "none_of_them", is_flag=True, help="It is none of the classes.")
@click.option("--ask", is_flag=True, help="Put it into the queue.")
@click.option("--limit", type=FIELD, default=20, show_default=True, help="Fields to list.")
@operator_option
@with_store
def review(
    store: Store,
    field_id: int | None,
    label: str | None,
    none_of_them: bool,
    ask: bool,
    limit: int,
    operator: str,
) -> None:
    """List the fields that wait for a person, look at FIELD, or say what it is.

    FIELD alone opens its photograph where there is a screen.
    """
    answers = (label is not None) + none_of_them + ask
    if field_id is None:
        if answers:
            raise click.UsageError("which field? 'smearscope slides review' lists those that wait")
        waiting = store.to_review(limit)
        for record in waiting:
            click.echo(_line(store, record))
        click.echo(f"{len(waiting)} waiting" + ("; look at one: smearscope slides review FIELD" if waiting else ""))
        return
    if answers > 1:
        raise click.UsageError("say one of --label CLASS, --none or --ask")
    record = store.field(field_id)
    if not answers:
        click.echo(_line(store, record))
        click.echo(f"say what it is: smearscope slides review {field_id} --label CLASS, or --none")
        _open(store.image_path(record))
        return
    event = store.set_review(field_id, wanted=ask, label=NONE_OF_THEM if none_of_them else label, operator=operator)
    click.echo(f"{change_text(event)} (by {operator})" if event else f"field {field_id}: as it was; nothing changed")


def _line(store: Store, record: FieldRecord) -> str:
    why = "; ".join(map(str, record.refusals)) or record.label or "nothing found"
    answer = {None: "waits" if record.review else "not reviewed", NONE_OF_THEM: "reviewed as none of the classes"}.get(
        record.reviewed_label, f"reviewed as {record.reviewed_label}"
    )
    photograph = printable(store.image_path(record) or "no photograph")
    return f"field {record.id}  slide {record.slide_id}  {photograph}  {why}  {answer}"


def _open(photograph: Path | None) -> None:
    """Show a photograph to who sits before a screen."""
    if photograph is not None and sys.stdout.isatty() and has_desktop(os.environ):
        click.launch(str(photograph.resolve()))
