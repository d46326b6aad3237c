"""`smearscope slides report`: a slide as one page to hand on, or printed as PDF."""

from pathlib import Path

import click

from device.commands.options import with_store_and_settings
from device.commands.slides.group import command, output_path
from device.settings import Settings
from device.store import Store
from smear.output_files import OutputFolder, printable

SUFFIXES = (".html", ".pdf")


@command.command()
@click.argument("slide_name", metavar="SLIDE")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="FILE.html, FILE.pdf (needs Chromium), or a folder for the page.  [default: slide-N.html]",
)
@with_store_and_settings
def report(store: Store, settings: Settings, slide_name: str, out: Path | None) -> None:
    """Write what was counted, seen and refused on a slide as one HTML page that needs no other file, or as PDF."""
    from device.slide_report.printing import print_page  # here: other commands about slides need no Jinja2
    from device.slide_report.report import slide_report

    slide = store.slide_called(slide_name)
    path = output_path(out, f"slide-{slide.id}.html")
    if path.suffix.lower() not in SUFFIXES:
        raise click.UsageError(f"{printable(path)}: a report ends in .html or .pdf; or give a folder with --out")
    with OutputFolder(path.parent) as folder:
        folder.check(path.name)
        page = slide_report(store, slide.id, settings, quiet=False)
        folder.write(path.name, print_page(page) if path.suffix.lower() == ".pdf" else page.encode())
    click.echo(f"wrote {printable(path)}")
