"""`smearscope slides export`: a slide as files for other programs."""

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click
from rich.console import Console
from rich.progress import Progress

from device.commands.options import with_store
from device.commands.slides.group import command
from device.exports.archive import write_zip
from device.exports.documents import write_json
from device.exports.tables import write_csv
from device.exports.training import write_training_folder
from device.store import Store
from smear.output_files import OutputFolder, printable

FORMATS = ("csv", "json", "zip", "training")
STREAM = "-"

Export = Callable[[IO[bytes], Callable[[], None]], None]
"""Writes a file; calls its second argument after each field."""


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
