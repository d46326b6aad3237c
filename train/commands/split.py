"""`smearscope train split`: a named split of the fields, written to a file."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from smear.classes import LABELS
from train.commands.options import PATH
from train.data.dataset import read
from train.data.splits import NAMES, NamedSplit, make, read_audit, save


@click.command()
@click.argument("folder", type=PATH)
@click.option("--name", type=click.Choice(NAMES), required=True, help="How to split.")
@click.option("--audit", type=PATH, help="CSV of 'smearscope train audit'; not needed for paper.")
@click.option("--out", type=PATH, required=True, help="JSON file to write.")
@click.option("--seed", default=0, show_default=True, help="Of the random split.")
def command(folder: Path, name: str, audit: Path | None, out: Path, seed: int) -> None:
    """Split the fields of FOLDER into train, validation and test parts.

    paper: at random in the proportions of Reza et al., so near-duplicates get into different parts. grouped:
    near-duplicates stay together. session: one stain session of every class is held out, in turn.
    """
    if name != "paper" and audit is None:
        raise click.UsageError(f"--name {name} needs --audit, the CSV that 'smearscope train audit' writes")
    data = read(folder)
    split = make(name, data, read_audit(audit) if audit else {}, seed)
    save(split, out)
    Console().print(_table(split))
    for skipped in data.skipped:
        click.echo(f"skipped: {skipped}", err=True)
    click.echo(f"wrote {out}")


def _table(split: NamedSplit) -> Table:
    table = Table(title=f"{split.name}, seed {split.seed}, data {split.fingerprint[:12]}")
    for column in ("Fold", "Part", *LABELS, "Total"):
        table.add_column(column)
    for number, fold in enumerate(split.folds, 1):
        for part, files in asdict(fold).items():
            counts = Counter(file.split("/")[0] for file in files)
            table.add_row(str(number), part, *(str(counts[label]) for label in LABELS), str(len(files)))
    return table
