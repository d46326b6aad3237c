"""`smearscope slides`: look at, take out and mark what was recorded."""

import functools
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click
from rich.console import Console
from rich.progress import Progress

from device.commands.options import config_option, data_option, settings_and_data
from device.exports.archive import write_zip
from device.exports.documents import slide_json, write_json
from device.exports.tables import write_csv
from device.exports.training import write_training_folder
from device.reporting.tables import field_table, slide_summary, slide_table
from device.store import SlideRecord, Store
from device.store.rows import NONE_OF_THEM
from smear.classes import LABELS
from smear.errors import StoreError
from smear.output_files import OutputFolder, printable

FIELD = click.IntRange(1, 2**63 - 1)  # the numbers that a database can hold
FORMATS = ("csv", "json", "zip", "training")
STREAM = "-"

Export = Callable[[IO[bytes], Callable[[], None]], None]
"""Writes a file; calls its second argument after each field."""


@click.group()
@data_option
@config_option
@click.pass_context
def command(ctx: click.Context, data_path: Path | None, config_path: Path | None) -> None:
    """List, show, export, review, keep or delete recorded slides. SLIDE is the number of a slide, or its name."""
    ctx.obj = data_path, config_path


def with_store(function: Callable[..., None]) -> Callable[..., Any]:
    """Give the command the store that --data names, here or after 'slides'; opened when the command runs."""

    @functools.wraps(function)
    def opened(*, data_path: Path | None, config_path: Path | None, **values: Any) -> None:
        group_data, group_config = click.get_current_context().obj
        settings, data = settings_and_data(config_path or group_config, data_path or group_data)
        with Store.read(data, settings.store.busy_timeout_s) as store:
            function(store, **values)

    return data_option(config_option(opened))


@command.command(name="list")
@click.option("--limit", type=FIELD, default=20, show_default=True, help="Newest slides to list.")
@click.option("--before", type=FIELD, metavar="SLIDE", help="Only slides older than this one.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@with_store
def list_(store: Store, limit: int, before: int | None, as_json: bool) -> None:
    """List the slides, newest first."""
    slides = store.slides(limit, before)
    if as_json:
        for slide in slides:
            click.echo(json.dumps(_json(store, slide), ensure_ascii=False, allow_nan=False))
    elif slides:
        Console().print(slide_table(slides))
    else:
        click.echo("no slides yet; 'smearscope run' records one")


@command.command()
@click.argument("slide_name", metavar="SLIDE")
@click.option("--limit", type=click.IntRange(0, 2**63 - 1), default=20, show_default=True, help="Fields to show.")
@click.option(
    "--after",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    metavar="FIELD",
    help="Only fields recorded after this one.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@with_store
def show(store: Store, slide_name: str, limit: int, after: int, as_json: bool) -> None:
    """Sum up one slide and list its fields."""
    slide = store.slide_called(slide_name)
    fields = store.fields(slide.id, limit, after)
    if as_json:
        shown = _json(store, slide) | {"fields": [record.to_json() for record in fields]}
        click.echo(json.dumps(shown, ensure_ascii=False, allow_nan=False))
        return
    console = Console()
    if fields:
        console.print(field_table(fields, slide))
    console.print(slide_summary(slide, store.reviewed_counts(slide.id)))
    if fields and len(fields) == limit:
        click.echo(f"more fields: smearscope slides show {slide.id} --after {fields[-1].id}")


@command.command()
@click.argument("slide_name", metavar="[SLIDE]", required=False)
@click.option(
    "--format",
    "kind",
    type=click.Choice(FORMATS),
    default="zip",
    show_default=True,
    help="training: every reviewed field of all slides, as 'smearscope train' reads them.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="File to write, a folder for it, or '-' for standard output.  [default: slide-N.<format>]",
)
@with_store
def export(store: Store, slide_name: str | None, kind: str, out: Path | None) -> None:
    """Write a slide as CSV, JSON or a zip with photographs and checksums; '--out -' writes to standard output."""
    if kind == "training":
        _export_training(store, out)
        return
    if slide_name is None:
        raise click.UsageError("which slide? 'smearscope slides list' shows them; then: slides export SLIDE")
    slide = store.slide_called(slide_name)
    write = _writer(store, slide.id, kind)
    if str(out) == STREAM:
        if kind == "zip" and sys.stdout.isatty():
            raise click.UsageError("a zip is no text for a terminal; add '> slide.zip', or give a file with --out")
        write(sys.stdout.buffer, lambda: None)
        return
    path = out or Path()
    if path.is_dir() or str(out or "").endswith(os.sep):
        path /= f"slide-{slide.id}.{kind}"
    with _bar(slide.tally.total) as step, OutputFolder(path.parent) as folder, folder.writing(path.name) as file:
        write(file, step)
    click.echo(f"wrote {printable(path)}")


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


def _json(store: Store, slide: SlideRecord) -> dict[str, Any]:
    return slide_json(slide, store.reviewed_counts(slide.id))


def _writer(store: Store, slide_id: int, kind: str) -> Export:
    def write(out: IO[bytes], step: Callable[[], None]) -> None:
        if kind == "zip":
            write_zip(store, slide_id, out, step)
            return
        text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
        if kind == "csv":
            write_csv(store, slide_id, text, step)
        else:
            write_json(store, slide_id, text, step)
        text.detach()  # else the stream would be closed with it

    return write


def _export_training(store: Store, out: Path | None) -> None:
    if str(out) == STREAM:
        raise click.UsageError("the format training is a folder, and no stream; give one with --out")
    path = out or Path("reviewed")
    with OutputFolder(path, create=True) as folder, _bar(sum(1 for _ in store.reviewed())) as step:
        written = write_training_folder(store, folder, step)
    click.echo(f"{printable(path)}: " + ", ".join(f"{n} {name}" for name, n in written.items()))


@contextmanager
def _bar(total: int) -> Iterator[Callable[[], None]]:
    """Show progress over `total` fields on stderr."""
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("exporting", total=total)
        yield lambda: progress.advance(task)
