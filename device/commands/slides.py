"""`smearscope slides`: look at, take out and mark what was recorded."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from device.commands.options import config_option, data_option, settings_and_data
from device.commands.tables import field_table, slide_summary, slide_table
from device.store import Store
from device.store.export import slide_json, write_csv, write_json, write_training_folder, write_zip
from smear.classes import LABELS
from smear.errors import StoreError


@click.group()
@data_option
@config_option
@click.pass_context
def command(ctx: click.Context, data_path: Path | None, config_path: Path | None) -> None:
    """List, show, export, review, keep or delete recorded slides."""
    settings, data = settings_and_data(config_path, data_path)

    def open_store() -> Store:  # only when a sub-command asks, so that its --help works without a store
        return ctx.with_resource(Store.read(data, settings.store.busy_timeout_s))

    ctx.obj = open_store


@command.command(name="list")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Newest slides to list.")
@click.option("--before", type=int, metavar="SLIDE", help="Only slides older than this one.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.pass_obj
def list_(open_store: Callable[[], Store], limit: int, before: int | None, as_json: bool) -> None:
    """List the slides, newest first."""
    slides = open_store().slides(limit, before)
    if as_json:
        for slide in slides:
            click.echo(json.dumps(slide_json(slide), ensure_ascii=False))
    elif slides:
        Console().print(slide_table(slides))
    else:
        click.echo("no slides yet; 'smearscope run' records one")


@command.command()
@click.argument("slide_id", metavar="SLIDE", type=int)
@click.option("--limit", type=click.IntRange(0), default=20, show_default=True, help="Fields to show.")
@click.option("--after", type=int, default=0, metavar="FIELD", help="Only fields recorded after this one.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def show(open_store: Callable[[], Store], slide_id: int, limit: int, after: int, as_json: bool) -> None:
    """Sum up one slide and list its fields."""
    store = open_store()
    slide, fields = store.slide(slide_id), store.fields(slide_id, limit, after)
    if as_json:
        shown = slide_json(slide) | {"fields": [record.to_json() for record in fields]}
        click.echo(json.dumps(shown, ensure_ascii=False))
        return
    console = Console()
    if fields:
        console.print(field_table(fields, slide))
    console.print(slide_summary(slide))
    if fields and len(fields) == limit:
        click.echo(f"more fields: smearscope slides show {slide_id} --after {fields[-1].id}")


@command.command()
@click.argument("slide_id", metavar="[SLIDE]", type=int, required=False)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["csv", "json", "zip", "training"]),
    default="zip",
    show_default=True,
    help="training: every reviewed field of all slides, as 'smearscope train' reads them.",
)
@click.option("--out", type=click.Path(path_type=Path), help="File or folder to write.  [default: slide-N.<format>]")
@click.pass_obj
def export(open_store: Callable[[], Store], slide_id: int | None, kind: str, out: Path | None) -> None:
    """Write a slide as CSV, JSON or a zip with photographs and checksums; '--out -' writes to the terminal."""
    store = open_store()
    if kind == "training":
        folder = out or Path("reviewed")
        with _bar(sum(1 for _ in store.reviewed())) as step:
            written = write_training_folder(store, folder, step)
        click.echo(f"{folder}: " + ", ".join(f"{n} {name}" for name, n in written.items()))
        return
    if slide_id is None:
        raise click.UsageError("which slide? 'smearscope slides list' shows them; then: slides export SLIDE")
    total = store.slide(slide_id).tally.total
    if kind in {"csv", "json"} and str(out) == "-":
        (write_csv if kind == "csv" else write_json)(store, slide_id, sys.stdout)
        return
    path = out or Path(f"slide-{slide_id}.{kind}")
    with _bar(total) as step:
        if kind == "zip":
            write_zip(store, slide_id, path, step)
        else:
            _write_text(store, slide_id, path, kind, step)
    click.echo(f"wrote {path}")


@command.command()
@click.argument("field_id", metavar="[FIELD]", type=int, required=False)
@click.option("--label", type=click.Choice(LABELS), help="What it is.")
@click.option("--none", "none_of_them", is_flag=True, help="It is none of the classes.")
@click.option("--ask", is_flag=True, help="Put it into the queue.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Fields to list.")
@click.pass_obj
def review(
    open_store: Callable[[], Store],
    field_id: int | None,
    label: str | None,
    none_of_them: bool,
    ask: bool,
    limit: int,
) -> None:
    """List the fields that wait for a person, or say what FIELD is."""
    store = open_store()
    if field_id is None:
        waiting = store.to_review(limit)
        for record in waiting:
            why = "; ".join(map(str, record.refusals)) or "asked for"
            click.echo(f"field {record.id}  slide {record.slide_id}  {store.image_path(record)}  {why}")
        click.echo(f"{len(waiting)} waiting" + ("; say: smearscope slides review FIELD --label Pre" if waiting else ""))
        return
    if (label is not None) + none_of_them + ask != 1:
        raise click.UsageError("say one of --label CLASS, --none or --ask")
    store.field(field_id)  # a clear error where there is none
    store.set_review(field_id, wanted=ask, label="" if none_of_them else label)
    click.echo(f"field {field_id}: " + ("waits for review" if ask else f"reviewed as {label or 'none of the classes'}"))


@command.command()
@click.argument("slide_id", metavar="SLIDE", type=int)
@click.option("--field", "field_id", type=int, help="Only this field of it.")
@click.option("--off", is_flag=True, help="Take the mark away.")
@click.pass_obj
def keep(open_store: Callable[[], Store], slide_id: int, field_id: int | None, off: bool) -> None:
    """Mark a slide, or one field, so that it is never removed to make room."""
    store = open_store()
    store.slide(slide_id)
    if field_id is None:
        store.set_keep(not off, slide_id=slide_id)
    elif store.field(field_id).slide_id == slide_id:
        store.set_keep(not off, field_id=field_id)
    else:
        raise StoreError(f"field {field_id} is not of slide {slide_id}; 'smearscope slides show {slide_id}' lists them")
    what = f"slide {slide_id}" if field_id is None else f"field {field_id}"
    click.echo(f"{what}: {'may be removed to make room' if off else 'kept'}")


@command.command()
@click.argument("slide_id", metavar="SLIDE", type=int)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def delete(open_store: Callable[[], Store], slide_id: int, yes: bool) -> None:
    """Remove a slide with all its fields and photographs for good."""
    store = open_store()
    slide = store.slide(slide_id)
    if not yes:
        click.confirm(f"delete slide {slide_id} ({slide.name}) with {slide.tally.total} fields?", abort=True)
    store.delete_slide(slide_id)
    click.echo(f"slide {slide_id} is deleted")


def _write_text(store: Store, slide_id: int, path: Path, kind: str, step: Callable[[], None]) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as out:
            (write_csv if kind == "csv" else write_json)(store, slide_id, out, step)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StoreError(f"cannot write {path}: {error.strerror}; free some space or choose another folder") from error


@contextmanager
def _bar(total: int) -> Iterator[Callable[[], None]]:
    """Show progress over `total` fields on stderr."""
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("exporting", total=total)
        yield lambda: progress.advance(task)
