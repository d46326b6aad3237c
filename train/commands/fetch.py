"""`smearscope train fetch`: get the data set from Kaggle, or check a folder of it."""

from pathlib import Path

import click
from rich.console import Console

from smear.classes import LABELS
from train.commands.options import PATH
from train.data.dataset import read
from train.data.fetch import completeness, download, locate, table_of


@click.command()
@click.argument("folder", required=False, type=PATH)
def command(folder: Path | None) -> None:
    """Get the data set from Kaggle, or check the copy in FOLDER; count its fields and print their checksums."""
    data = read(locate(folder if folder is not None else download()))
    Console().print(table_of(data))
    for skipped in data.skipped:
        click.echo(f"skipped: {skipped}", err=True)
    if data.skipped:
        click.echo(f"skipped {len(data.skipped)} pictures that cannot be read", err=True)
    click.echo(completeness(data))
    click.echo(f"fingerprint: {data.fingerprint}")
    click.echo(f"folder: {data.root}")
    click.echo(f"classes: {', '.join(LABELS)}; credit Aria et al. (2021), DOI 10.34740/KAGGLE/DSV/2175623")
