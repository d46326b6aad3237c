"""`smearscope train out-of-distribution`: fit a bundle's detector, each laboratory held out in turn."""

from pathlib import Path
from typing import Any

import click

from smear.bundle.levels import LEVELS
from train.commands import options
from train.commands.options import EXISTING, PATH


@click.command()
@click.option("--bundle", type=EXISTING, required=True, help="Bundle whose classifier gives features.")
@click.option("--level", type=click.Choice(LEVELS), default="int8", show_default=True, help="To fit and measure with.")
@options.of_a_split
@click.option("--out", type=PATH, required=True, help="Folder of the bundle to write; may be --bundle itself.")
@click.option("--report", type=PATH, required=True, help="Folder for the page and its figures.")
@click.option("--seed", default=0, show_default=True, help="Of the corruptions and of the cells that are left out.")
@options.quiet
def command(out: Path, report: Path, **given: Any) -> None:
    """Fit what tells a bundle that a field shows none of the four classes.

    Looks at our own fields and at those of other laboratories, below DATA/others and DATA/wbc_masks, without a scale,
    at the right one, and white-balanced as well. Measures with each laboratory held out in turn, then fits to all.
    """
    from train.reporting.out_of_distribution_run import PAGE, fit_and_report

    fit_and_report(out=out, report=report, command_line=options.command_line(), **given)
    click.echo(f"wrote {out} and {report / PAGE}")
