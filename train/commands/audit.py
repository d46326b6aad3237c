"""`smearscope train audit`: near-duplicates, stain sessions, scale bars and blur in a folder of fields."""

from pathlib import Path

import click
import cv2
from rich.console import Console

from smear.output_files import OutputFolder
from train.commands.options import PATH
from train.data.audit import audit, session_table, to_csv, totals
from train.data.dataset import read
from train.reporting.audit_page import page


@click.command()
@click.argument("folder", type=PATH)
@click.option("--out", type=PATH, required=True, help="Folder for audit.csv and audit.html.")
def command(folder: Path, out: Path) -> None:
    """Find exact copies, near-duplicates, stain sessions, scale-bar styles and blur in FOLDER.

    Writes audit.csv, which the grouped and session splits read, and audit.html with example pairs. The page shows
    pictures of the data set: keep it with the data.
    """
    cv2.setNumThreads(1)  # of the whole process: fields are small, and the audit has threads of its own
    found = audit(read(folder))
    with OutputFolder(out, create=True) as written:
        written.write("audit.csv", to_csv(found.rows))
        written.write("audit.html", page(found).encode())
    for skipped in found.data.skipped:
        click.echo(f"skipped: {skipped}", err=True)
    Console().print(session_table(found))
    for line in totals(found):
        click.echo(line)
    click.echo(f"wrote {out}/audit.csv and {out}/audit.html")
