"""`smearscope train report`: one page about a bundle, with its controls, the paper beside it, and its model card."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console

from smear.inference.evaluator import Evaluator
from train.commands import options
from train.commands.controls import print_outcome
from train.commands.options import EXISTING, PATH
from train.evaluation.control_results import Outcome
from train.evaluation.control_suite import read_plan
from train.evaluation.control_suite import run as run_controls
from train.reporting.report_run import HTML, MARKDOWN, ReportSettings, run


@click.command()
@options.bundle
@options.level
@options.of_a_split
@options.audit
@click.option("--run", type=EXISTING, help="Training run of the bundle: leak, curves, budget.")
@click.option(
    "--approaches", type=EXISTING, help="JSON or CSV of runs: approach, split, fold, seed, epochs, accuracy ..."
)
@click.option("--networks", type=EXISTING, help="JSON or CSV of networks for table 4, or a folder of such files.")
@click.option("--protocol", type=EXISTING, help="JSON of 'train paper-masks', for table 3.")
@click.option("--out", type=PATH, required=True, help="Folder of the report.")
@click.option("--again", is_flag=True, help="Run the controls again, though --out holds their results.")
@click.option("--card", "extend_card", is_flag=True, help="Add the controls to the bundle's MODEL_CARD.md.")
@options.limit
@options.quiet
def command(audit: Path | None, quiet: bool, **given: Any) -> None:
    """Write report.html, which needs no other file, and report.md with its figures.

    Runs the controls first, unless --out holds their results for this bundle and split. The paper's tables and figures
    stand beside ours; what is not given is left out.
    """
    settings = ReportSettings(command=options.command_line(), **given)

    def measure(evaluator: Evaluator) -> Outcome:
        plan = read_plan(
            settings.data, settings.fields, settings.split, audit, settings.run,
            quiet=quiet, fold=settings.fold, limit=settings.limit, command=settings.command,
        )  # fmt: skip
        outcome = run_controls(evaluator, plan)
        print_outcome(outcome, Console())
        return outcome

    card = run(settings, measure)
    if card:
        click.echo(f"wrote {card}; the bundle's manifest holds its new checksum")
    click.echo(f"wrote {settings.out / HTML} and {settings.out / MARKDOWN}")
