"""`smearscope bench`: measures a bundle on this machine, writes JSON, Markdown and HTML, and compares results."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks.schema import BenchmarkError, Result, read_result
from benchmarks.suites.soak import command as soak_command
from benchmarks.suites.store_queries import command as records_command
from smear.bundle.levels import LEVELS
from smear.inference.tflite import AUTOMATIC

PATH = click.Path(path_type=Path)
RUNTIMES = tuple(kind.name for kind in AUTOMATIC)  # those that the worker drives itself
REGRESSED = 3  # exit code of `bench compare`
FILE_WIDTH = 200  # columns of a table that goes to a file


@click.group(invoke_without_command=True)
@click.option(
    "--quick", "mode", flag_value="quick", default="quick", help="A few minutes: the order of things.  [default]"
)
@click.option(
    "--full",
    "mode",
    flag_value="full",
    help="1024 queries or 60 s of each variant, growth to the end: about 8 minutes on a desktop, docs/benchmarks.md.",
)
@click.option("--levels", help="Comma-separated, of those in the bundle.  [default: all but int16x8]")
@click.option("--runtimes", help=f"Comma-separated, of {', '.join(RUNTIMES)}.  [default: all that are there]")
@click.option("--threads", help="Comma-separated.  [default: 1; with --full also one a processor]")
@click.option("--bundle", type=PATH, help="Folder of a model bundle.  [default: the installed one]")
@click.option("--reference", type=PATH, help="Bundle, or run to convert, of the models to hold it against.")
@click.option(
    "--tflite-python",
    type=PATH,
    envvar="SMEARSCOPE_TFLITE_PYTHON",
    help="Interpreter of an environment with smearscope[tflite]; also $SMEARSCOPE_TFLITE_PYTHON.",
)
@click.option(
    "--torch-python",
    type=PATH,
    envvar="SMEARSCOPE_TORCH_PYTHON",
    help="Interpreter of an environment with PyTorch and NumPy; also $SMEARSCOPE_TORCH_PYTHON.",
)
@click.option("--out", type=PATH, help="Folder for result.json, result.md and result.html.  [default: runs/bench-TIME]")
@click.option("--keep", type=PATH, help="Folder that keeps one result per machine, such as benchmarks/reference.")
@click.option(
    "--readme", type=PATH, help="README that gets the short table; the plot and the long tables go to docs/ beside it."
)
@click.pass_context
def command(
    ctx: click.Context,
    mode: str,
    levels: str | None,
    runtimes: str | None,
    threads: str | None,
    bundle: Path | None,
    reference: Path | None,
    tflite_python: Path | None,
    torch_python: Path | None,
    out: Path | None,
    keep: Path | None,
    readme: Path | None,
) -> None:
    """Measure speed, memory and accuracy of a bundle on this machine, level by level.

    Figures mean something on a quiet machine only; a run that was disturbed says so in its result.
    """
    if ctx.invoked_subcommand is not None:
        return
    from benchmarks.reporting import output
    from benchmarks.runner import Options, run

    folder = out or Path("runs") / f"bench-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    options = Options(
        mode=mode,
        levels=_chosen("--levels", levels, LEVELS),
        runtimes=_chosen("--runtimes", runtimes, RUNTIMES),
        threads=_numbers(threads),
        bundle=bundle,
        reference=reference,
        tflite_python=tflite_python,
        torch_python=torch_python,
    )
    output.ready(folder)
    with _progress() as say:
        result = run(options, say)
    written = output.write(result, folder)
    if readme is not None:
        output.write_readme(result, readme)
    output.show(result, _console())
    for path in written:
        click.echo(f"written: {path}")
    if keep is not None:  # last: a disturbed result may be refused
        click.echo(f"kept: {output.keep(result, keep)}")


@command.command()
@click.argument("first", type=PATH)
@click.argument("second", type=PATH)
@click.option("--slower", default=1.10, show_default=True, help="How many times the old time is a regression.")
@click.option("--all", "everything", is_flag=True, help="Show what stayed as it was, too.")
@click.pass_context
def compare(ctx: click.Context, first: Path, second: Path, slower: float, everything: bool) -> None:
    """Compare two results, FIRST the older: what became slower, larger or worse. Ends with code 3 on a regression."""
    from benchmarks.reporting.comparison import changes, gone, unlike

    old, new = read_result(first), read_result(second)
    found = changes(old, new, slower)
    if not found:
        raise BenchmarkError(f"{first} and {second} have no figure in common; measure the same levels in both")
    table = Table("figure", "first", "second", "second / first", "")
    for change in found:
        if everything or change.regression or not 1 / slower < change.ratio < slower:
            verdict = "WORSE" if change.regression else ""
            table.add_row(change.what, f"{change.old:.4g}", f"{change.new:.4g}", f"{change.ratio:.2f}", verdict)
    console = _console()
    for why in unlike(old, new):
        console.print(f"take with care: {why}", style="yellow", markup=False)
    console.print(table if table.row_count else "nothing changed")
    missing = gone(old, new)
    if missing:
        console.print(
            f"no longer measured: {len(missing)} figures, {'; '.join(missing[:3])}", style="yellow", markup=False
        )
    regressions = sum(change.regression for change in found)
    console.print(f"{regressions} of {len(found)} figures are worse")
    if regressions:
        ctx.exit(REGRESSED)


command.add_command(soak_command, "soak")
command.add_command(records_command, "records")


def _chosen(option: str, given: str | None, allowed: tuple[str, ...]) -> tuple[str, ...] | None:
    if given is None:
        return None
    asked = tuple(part.strip() for part in given.split(",") if part.strip())
    unknown = [part for part in asked if part not in allowed]
    if unknown or not asked:
        raise click.BadParameter(
            f"{', '.join(unknown) or 'nothing'}: choose of {', '.join(allowed)}", param_hint=option
        )
    return asked


def _numbers(given: str | None) -> tuple[int, ...] | None:
    if given is None:
        return None
    try:
        found = tuple(int(part) for part in given.split(","))
    except ValueError:
        found = ()
    if not found or min(found) < 1:
        raise click.BadParameter(f"{given}: write numbers from 1, such as 1,4", param_hint="--threads")
    return found


@contextmanager
def _progress() -> Iterator["Say"]:  # noqa: F821 - of benchmarks.interleaved, which would cost `--help` its speed
    """Show what is measured on a terminal; in a log, one line a part."""
    console = Console(stderr=True)
    if not console.is_terminal:
        last = [0.0]

        def line(what: str, done: float) -> None:
            if time.monotonic() - last[0] > 5:  # seconds: a log of a long run stays readable
                last[0] = time.monotonic()
                console.print(f"{done:4.0%} {what}", markup=False, highlight=False)

        yield line
        return
    columns = (
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=1.0)
        yield lambda what, done: progress.update(task, description=what, completed=done)


def _console() -> Console:
    """A terminal is as wide as it is; a file or pipe gets whole rows."""
    console = Console()
    return console if console.is_terminal else Console(width=FILE_WIDTH)


__all__ = ["Result", "command"]
