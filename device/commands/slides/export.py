"""`smearscope slides export`: a slide as files for other programs."""

import csv
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import click

from device.commands.options import NameOption, json_text, with_store_and_settings
from device.commands.slides.group import command, output_path
from device.exports.base import FileFormat, FolderFormat, text_stream
from device.exports.combined import CombinedTable
from device.exports.registry import EXPORTS, export_slide
from device.settings import Settings
from device.store import Store
from device.store.records import SlideRecord
from smear.output_files import OutputFolder, printable
from smear.progress import step_bar

STREAM = "-"


@command.command()
@click.argument("slide_name", metavar="[SLIDE]", required=False)
@click.option("--format", "name", cls=NameOption, usages=EXPORTS.usages, default="zip")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="File to write, a folder for it, or '-' for standard output.  [default: a name with the slide's number]",
)
@with_store_and_settings
def export(store: Store, settings: Settings, slide_name: str | None, name: str, out: Path | None) -> None:
    """Write a slide for other programs; '--out -' writes to standard output.

    The format 'training' is a folder, and takes the reviewed fields of all slides where none is named.
    """
    kind = EXPORTS.find(name)
    slide = store.slide_called(slide_name) if slide_name is not None else None
    if isinstance(kind, FolderFormat):
        _export_folder(store, slide, kind, out)
    elif slide is None:
        raise click.UsageError("which slide? 'smearscope slides list' shows them; then: slides export SLIDE")
    elif isinstance(kind, FileFormat):
        _export_file(store, settings, slide, kind, out)


@command.command()
@click.argument("exports", metavar="EXPORT...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--table", type=click.Choice(("fields", "cells")), default="fields", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--out", type=click.Path(path_type=Path), help="File to write.  [default: standard output]")
def combine(exports: tuple[Path, ...], table: str, as_json: bool, out: Path | None) -> None:
    """Make one table of the zips of 'slides export', also of several devices.

    A slide is known by its device and number: of several exports the newest is taken. Where two contradict each other,
    both are named and nothing is written.
    """
    found = CombinedTable(exports, table)
    with ExitStack() as opened:
        raw: IO[bytes] = sys.stdout.buffer
        if out is not None and str(out) != STREAM:
            raw = opened.enter_context(opened.enter_context(OutputFolder(out.parent)).writing(out.name))
        text = opened.enter_context(text_stream(raw))
        if as_json:
            text.writelines(f"{json_text(row)}\n" for row in found.rows())
        else:
            writer = csv.DictWriter(text, found.columns)
            writer.writeheader()
            writer.writerows(found.rows())
    click.echo(f"slides: {len(found.exports)}, exports: {len(exports)}", err=True)


def _export_file(store: Store, settings: Settings, slide: SlideRecord, kind: FileFormat, out: Path | None) -> None:
    if str(out) == STREAM:
        if not kind.text and sys.stdout.isatty():
            raise click.UsageError("a zip is no text for a terminal; add '> slide.zip', or give a file with --out")
        export_slide(store, slide.id, kind.name, sys.stdout.buffer, settings)
        return
    path = output_path(out, kind.file_name(slide.id))
    with (
        step_bar("exporting", slide.tally.total) as step,
        OutputFolder(path.parent) as folder,
        folder.writing(path.name) as file,
    ):
        export_slide(store, slide.id, kind.name, file, settings, step)
    click.echo(f"wrote {printable(path)}")


def _export_folder(store: Store, slide: SlideRecord | None, kind: FolderFormat, out: Path | None) -> None:
    if str(out) == STREAM:
        raise click.UsageError(f"the format {kind.name} is a folder, and no stream; give one with --out")
    path = out or Path(kind.folder)
    slide_id = None if slide is None else slide.id
    with OutputFolder(path, create=True) as folder, step_bar("exporting", None) as step:
        written = kind.write(store, folder, slide_id, step)
    click.echo(f"{printable(path)}: " + ", ".join(f"{n} {name}" for name, n in written.items()))
    if not any(written.values()):
        click.echo(
            "no field has a person's answer and a photograph; 'smearscope slides review' asks for answers", err=True
        )
