"""`smearscope train controls`: test whether a bundle looks at the cells, and what it refuses."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from smear.inference.evaluator import Evaluator
from train.commands import options
from train.commands.options import PATH
from train.evaluation.control_results import FILE, Outcome, save
from train.evaluation.control_suite import read_plan, run
from train.evaluation.shares import Share


@click.command()
@options.bundle
@options.level
@options.of_a_split
@options.audit
@click.option("--run", type=PATH, help="Training run of the bundle: shows whether test fields were trained on.")
@click.option("--out", type=PATH, required=True, help=f"Folder for {FILE}.")
@options.limit
@click.option("--without-ood", is_flag=True, help="Leave out the out-of-distribution pictures.")
@click.option("--without-masks", is_flag=True, help="Leave out the comparison with masks drawn by hand.")
@options.quiet
def command(bundle: Path, level: str, out: Path, without_ood: bool, without_masks: bool, **given: Any) -> None:
    """Run every control on a bundle and print the results beside its accuracy.

    A colour forest on the same fields, cells painted out, cells of one class on the background of another, corruptions
    of stain, white balance, focus and compression in grades, scale bars swapped, out-of-distribution pictures, and
    occlusion maps.
    """
    plan = read_plan(
        **given, with_ood=not without_ood, with_masks=not without_masks, command=options.command_line()
    )  # fmt: skip
    with Evaluator(bundle, level) as evaluator:
        found = run(evaluator, plan)
    save(found, out / FILE)
    print_outcome(found, Console())
    click.echo(f"wrote {out / FILE}")


def print_outcome(found: Outcome, console: Console) -> None:
    """Print the accuracy and the results of the controls."""
    answers, fields = found.answers, found.fields
    accuracy = (answers.top == answers.truth).mean()
    console.print(
        f"{found.bundle.name} {found.bundle.sha256[:12]}, {found.bundle.level}, on {fields.evaluated} test fields of "
        f"{fields.split} fold {fields.fold}: accuracy {accuracy:.4f}, {found.minutes:.1f} minutes"
    )
    if fields.trained_on:
        console.print(f"[bold]{fields.trained_on} of these fields, or a near-duplicate, were trained on[/bold]")
    console.print(_shares(found.shares))
    table = Table("corruption", "strength", "accuracy", "right, if labelled", "labelled", "n")
    for row in found.graded:
        values = (f"{one.value:.3f}" if one.n else "-" for one in (row.accuracy, row.right_if_labelled, row.labelled))
        table.add_row(row.kind, row.strength, *values, str(row.accuracy.n))
    console.print(table)


def _shares(shares: Iterable[Share]) -> Table:
    table = Table("control", "value", "95 % interval", "n", "wanted", "")
    for one in shares:
        wanted = "" if one.wanted is None else f">= {one.wanted:.2f}"
        result = {True: "passed", False: "[bold red]missed[/bold red]", None: ""}[one.passed]
        table.add_row(one.name, f"{one.value:.4f}", f"{one.low:.4f} to {one.high:.4f}", str(one.n), wanted, result)
    return table
