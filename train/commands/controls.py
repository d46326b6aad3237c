"""`smearscope train controls`: what a bundle's accuracy is worth, judged through the device's own pipeline."""

import json
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from smear.bundle.levels import LEVELS
from smear.errors import TrainingError
from smear.inference.evaluator import Judge
from train.data.dataset import read
from train.data.splits import load, read_audit
from train.evaluation import control_results
from train.evaluation.control_results import Outcome
from train.evaluation.control_suite import Plan, run
from train.evaluation.shortcut_controls import Share

FILE = "controls.json"
RUN = "run.json"  # of train.fitting.run_record, which would bring Keras in


@click.command()
@click.option("--bundle", type=click.Path(path_type=Path, exists=True), required=True, help="Folder of a model bundle.")
@click.option("--level", type=click.Choice(LEVELS), default="int8", show_default=True, help="Of the bundle.")
@click.option("--data", type=click.Path(path_type=Path, exists=True), required=True, help="Root of the training data.")
@click.option("--fields", "folder", default="taleqani", show_default=True, help="Folder of the classes, below --data.")
@click.option("--split", "split_file", type=click.Path(path_type=Path), required=True, help="Of 'train split'.")
@click.option("--fold", default=0, show_default=True, help="Which fold of the split.")
@click.option("--audit", type=click.Path(path_type=Path), help="Of 'train audit': intervals then resample by group.")
@click.option(
    "--run", "run_folder", type=click.Path(path_type=Path), help="Run the bundle was made from: tells a leak."
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help=f"Folder that gets {FILE}.")
@click.option("--limit", type=click.IntRange(4), help="Judge so many test fields only; for a quick look.")
@click.option("--without-strangers", is_flag=True, help="Leave out pictures that must get no label.")
@click.option("--without-masks", is_flag=True, help="Leave out the comparison with masks drawn by hand.")
@click.option("--quiet", is_flag=True, help="No progress bars.")
def command(
    bundle: Path,
    level: str,
    data: Path,
    folder: str,
    split_file: Path,
    fold: int,
    audit: Path | None,
    run_folder: Path | None,
    out: Path,
    limit: int | None,
    without_strangers: bool,
    without_masks: bool,
    quiet: bool,
) -> None:
    """Run every control on a bundle and print its figures beside the accuracy.

    A colour forest on the same fields, cells painted out, cells of one class on the ground of another, stain, white
    balance, blur and JPEG in grades, scale bars swapped, strangers refused, and where the bundle looks.
    """
    fields = read(data / folder, quiet)
    split = load(split_file, fields.fingerprint)
    if not 0 <= fold < len(split.folds):
        raise TrainingError(f"{split_file}: no fold {fold}; it has {len(split.folds)}, counted from 0")
    groups = {name: kin.group for name, kin in read_audit(audit).items()} if audit else {}
    plan = Plan(
        root=data,
        data=fields,
        split=split,
        fold=fold,
        groups=groups,
        trained=trained_on(run_folder) if run_folder else None,
        limit=limit,
        with_strangers=not without_strangers,
        with_masks=not without_masks,
        command=said(),
        quiet=quiet,
    )
    with Judge(bundle, level) as judge:
        found = run(judge, plan)
    control_results.save(found, out / FILE)
    print_outcome(found, Console())
    click.echo(f"wrote {out / FILE}")


def trained_on(run_folder: Path) -> frozenset[str]:
    """Return the fields of run.json's training part, as splits name them.

    Raises:
        TrainingError: there is no such file, or it names none.
    """
    try:
        images = json.loads((run_folder / RUN).read_text(encoding="utf-8"))["train_images"]
        paths = [Path(image if isinstance(image, str) else image["path"]) for image in images]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{run_folder / RUN}: cannot be read ({error}); give the folder of a run") from error
    return frozenset(f"{path.parent.name}/{path.name}" for path in paths)


def said() -> str:
    """Return the command line of this run, to be typed again."""
    return shlex.join(["smearscope", *sys.argv[1:]])


def print_outcome(found: Outcome, console: Console) -> None:
    """Print accuracy and controls as people read them."""
    answers = found.answers
    right = answers.top == answers.truth
    console.print(
        f"{found.bundle.name} {found.bundle.sha256[:12]}, {found.bundle.level}, on {found.fields.asked} test fields of "
        f"{found.fields.split} fold {found.fields.fold}: accuracy {right.mean():.4f}, {found.minutes:.1f} minutes"
    )
    if found.fields.trained_on:
        console.print(
            f"[bold]{found.fields.trained_on} of these fields were trained on, themselves or a re-shot of them[/bold]"
        )
    console.print(shares_table(found.shares))
    table = Table("disturbance", "strength", "accuracy", "right, if labelled", "labelled", "n")
    for row in found.graded:
        values = (f"{one.value:.3f}" if one.n else "-" for one in (row.accuracy, row.right_if_labelled, row.labelled))
        table.add_row(row.kind, row.strength, *values, str(row.accuracy.n))
    console.print(table)


def shares_table(shares: Iterable[Share]) -> Table:
    """Return figures with interval, n and whether they reach what is wanted."""
    table = Table("control", "value", "95 % interval", "n", "wanted", "")
    for one in shares:
        wanted = "" if one.wanted is None else f">= {one.wanted:.2f}"
        verdict = {True: "passed", False: "[bold red]missed[/bold red]", None: ""}[one.passed]
        table.add_row(one.name, f"{one.value:.4f}", f"{one.low:.4f} to {one.high:.4f}", str(one.n), wanted, verdict)
    return table
