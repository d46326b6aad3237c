"""`smearscope slides keep` and `delete`: what is changed of a slide itself."""

import click

from device.commands.options import FIELD, with_store
from device.commands.slides.group import command
from device.store import Store
from smear.errors import StoreError


@command.command()
@click.argument("slide_name", metavar="SLIDE")
@click.option("--field", "field_id", type=FIELD, help="Only this field of it.")
@click.option("--off", is_flag=True, help="Take the mark away.")
@with_store
def keep(store: Store, slide_name: str, field_id: int | None, off: bool) -> None:
    """Mark a slide, or one field, so that it is never removed to make room."""
    slide_id = store.slide_called(slide_name).id
    if field_id is None:
        store.set_keep(not off, slide_id=slide_id)
    elif store.field(field_id).slide_id == slide_id:
        store.set_keep(not off, field_id=field_id)
    else:
        raise StoreError(f"field {field_id} is not of slide {slide_id}; 'smearscope slides show {slide_id}' lists them")
    what = f"slide {slide_id}" if field_id is None else f"field {field_id}"
    click.echo(f"{what}: {'may be removed to make room' if off else 'kept'}")


@command.command()
@click.argument("slide_name", metavar="SLIDE")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_store
def delete(store: Store, slide_name: str, yes: bool) -> None:
    """Remove a slide with all its fields and photographs for good."""
    slide = store.slide_called(slide_name)
    if not yes:
        click.confirm(f"delete slide {slide.id} ({slide.name}) with {slide.tally.total} fields?", abort=True)
    store.delete_slide(slide.id)
    click.echo(f"slide {slide.id} is deleted")
