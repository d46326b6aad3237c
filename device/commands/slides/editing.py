"""`smearscope slides keep`, `delete`, `edit`, `rename`, `merge` and `history`: changes of a slide, and by whom."""

import click

from device.actions.base import Context
from device.actions.slides import Keep, slide_number
from device.actions.slides import keep as kept
from device.commands.options import FIELD, json_text, operator_option, with_store, with_store_and_settings
from device.commands.slides.group import command
from device.reporting.events import change_text, event_line
from device.settings import Settings
from device.store import SlideRecord, Store
from device.store.review.audit_trail import Event

yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
_EVENTS_AT_ONCE = 1000


@command.command()
@click.argument("slide_name", metavar="SLIDE")
@click.option("--field", "field_id", type=FIELD, help="Only this field of it.")
@click.option("--off", is_flag=True, help="Take the mark away.")
@operator_option
@with_store_and_settings
def keep(store: Store, settings: Settings, slide_name: str, field_id: int | None, off: bool, operator: str) -> None:
    """Mark a slide, or one field, so that it is never removed to make room."""
    event = kept(Context(store, settings, operator), Keep.model_construct(slide=slide_name, field=field_id, off=off))
    slide = store.slide_called(slide_name)
    what = _whole(slide) if field_id is None else f"field {field_id}"
    state = "may be removed to make room" if off else "kept, and never removed to make room"
    click.echo(f"{what}: {state}" + ("" if event else ", as before"))


@command.command()
@click.argument("slide_name", metavar="SLIDE")
@yes_option
@click.option("--signed", is_flag=True, help="Also a slide that was signed; only what was signed stays.")
@operator_option
@with_store
def delete(store: Store, slide_name: str, yes: bool, signed: bool, operator: str) -> None:
    """Remove a slide with all its fields and photographs for good; its audit trail and signatures stay."""
    slide = store.slide_called(slide_name)
    if not yes:
        click.confirm(f"delete {_whole(slide)}?", abort=True)
    store.delete_slide(slide.id, operator=operator, signed=signed)
    click.echo(f"slide {slide.id} is deleted")


@command.command()
@click.argument("slide_name", metavar="SLIDE")
@click.option("--name", metavar="TEXT", help="A new name.")
@click.option("--stain", metavar="TEXT", help="Its stain; '' for none.")
@click.option("--specimen", metavar="TEXT", help="Blood, marrow, ...; '' for none.")
@click.option("--note", metavar="TEXT", help="A line about it; '' for none.")
@click.option("--slide-operator", metavar="NAME", help="Who made it; '' for nobody.")
@operator_option
@with_store
def edit(
    store: Store,
    slide_name: str,
    operator: str,
    name: str | None,
    stain: str | None,
    specimen: str | None,
    note: str | None,
    slide_operator: str | None,
) -> None:
    """Change what is said of a slide; what it was stays in the audit trail. A patient's name belongs nowhere here."""
    slide = store.slide_called(slide_name)
    _tell(slide, store.edit_slide(slide.id, operator, name=name, stain=stain, specimen=specimen, note=note,
                                  slide_operator=slide_operator))  # fmt: skip


@command.command()
@click.argument("slide_name", metavar="SLIDE")
@click.argument("name", metavar="NEW_NAME")
@operator_option
@with_store
def rename(store: Store, slide_name: str, name: str, operator: str) -> None:
    """Give a slide another name."""
    slide = store.slide_called(slide_name)
    _tell(slide, store.edit_slide(slide.id, operator, name=name))


@command.command()
@click.argument("into_name", metavar="SLIDE")
@click.argument("other_name", metavar="OTHER")
@yes_option
@operator_option
@with_store
def merge(store: Store, into_name: str, other_name: str, yes: bool, operator: str) -> None:
    """Move the fields of the slide OTHER to SLIDE, add its counts up there, and remove it; there is no way back.

    A field that both have is counted once: the view with a label stays, or that of SLIDE. The other view is removed,
    unless it was kept, reviewed or classified. SLIDE keeps its name, operator, stain, specimen and note.
    """
    into, other = store.slide_called(into_name), store.slide_called(other_name)
    if not yes:
        click.confirm(f"merge {_whole(other)} into {_named(into)}?", abort=True)
    event = store.merge_slides(into.id, other.id, operator)
    click.echo(f"slide {other.id} is now part of {_named(into)}: {event.reason}")


@command.command()
@click.argument("slide_name", metavar="SLIDE")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@with_store
def history(store: Store, slide_name: str, as_json: bool) -> None:
    """Show who did what to a slide, and when, oldest first; SLIDE may be the number of a deleted slide."""
    slide_id, after = slide_number(store, slide_name, lambda number: store.events(number, 1)), 0
    while events := store.events(slide_id, _EVENTS_AT_ONCE, after):
        for event in events:
            click.echo(json_text(event.to_json()) if as_json else event_line(event))
        after = events[-1].id
    if not after and not as_json:
        click.echo(f"slide {slide_id}: nobody has changed anything")


def _named(slide: SlideRecord) -> str:
    return f"slide {slide.id} ({slide.name})"


def _whole(slide: SlideRecord) -> str:
    return f"{_named(slide)} with {slide.tally.total} field{'' if slide.tally.total == 1 else 's'}"


def _tell(slide: SlideRecord, events: list[Event]) -> None:
    for event in events:
        click.echo(f"{_named(slide)}: {event.action} {change_text(event)}")
    if not events:
        click.echo(f"{_named(slide)}: nothing changed")
