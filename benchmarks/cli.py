"""`smearscope bench`: measures a bundle on this machine, writes JSON, Markdown and HTML, and compares results."""

import json
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from device.commands.options import FiniteRange, config_option, data_option, settings_and_data
from device.model_choice import bundle_path
from device.model_pick import AUTO, write_pick
from smear.bundle.levels import LEVELS
from smear.inference.tflite import AUTOMATIC
from smear.output_files import write_atomic
from smear.progress import table_console

PATH = click.Path(path_type=Path)
JSON_FILE = click.Path(path_type=Path, dir_okay=False)
RUNTIMES = tuple(kind.name for kind in AUTOMATIC)  # those that the worker drives itself
FILE_WIDTH = 200  # columns of a table that goes to a file
OUT_OF_BOUNDS = 3  # exit code: a regression, or a figure over its limit


def comma_separated(kind: Any) -> Callable[..., tuple[Any, ...] | None]:
    """Return a callback that reads comma-separated values of one kind of `click.ParamType` as a tuple."""

    def read(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[Any, ...] | None:
        if value is None:
            return None
        found = tuple(kind.convert(part.strip(), param, ctx) for part in value.split(",") if part.strip())
        if not found:
            raise click.BadParameter("name at least one")
        return found

    return read


@click.group(invoke_without_command=True)
@click.option(
    "--quick", "mode", flag_value="quick", default="quick", help="A few minutes, for orders of magnitude.  [default]"
)
@click.option(
    "--full", "mode", flag_value="full",
    help="1024 queries or 60 s for each variant, and long growth curves: about 8 minutes on a desktop.",
)  # fmt: skip
@click.option(
    "--levels", callback=comma_separated(click.Choice(LEVELS)),
    help="Comma-separated, of those in the bundle.  [default: all but int16x8]",
)  # fmt: skip
@click.option(
    "--runtimes", callback=comma_separated(click.Choice(RUNTIMES)),
    help=f"Comma-separated, of {', '.join(RUNTIMES)}.  [default: all that are installed]",
)  # fmt: skip
@click.option(
    "--threads", callback=comma_separated(click.IntRange(1)),
    help="Comma-separated.  [default: 1; with --full also one per processor]",
)  # fmt: skip
@click.option("--bundle", type=PATH, help="Folder of a model bundle.  [default: the installed one]")
@click.option("--reference", type=PATH, help="Bundle, or training run to convert, to compare the bundle with.")
@click.option(
    "--peers", type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder of .venv-tflite, .venv-torch and the other environments that `make bench` makes.",
)  # fmt: skip
@click.option("--out", type=PATH, help="Folder for result.json, result.md and result.html.  [default: runs/bench-TIME]")
@click.option("--keep", type=PATH, help="Folder that keeps one result for each machine, such as benchmarks/reference.")
@click.option(
    "--readme", type=PATH, help="README that gets the short table; the plot and the long tables go to docs/ beside it."
)
@click.pass_context
def command(ctx: click.Context, /, out: Path | None, keep: Path | None, readme: Path | None, **settings: Any) -> None:
    """Measure speed, memory and accuracy of a bundle on this machine, level by level.

    Measure on a machine that does nothing else; a run that was disturbed says so in its result.
    """
    if ctx.invoked_subcommand is not None:
        return
    from benchmarks.progress import show_progress
    from benchmarks.reporting import files, terminal
    from benchmarks.runner import Options, run

    folder = out or Path("runs") / f"bench-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    files.make_folder(folder)
    with show_progress() as progress:
        result = run(Options(**settings), progress)
    written = files.write(result, folder)
    if readme is not None:
        files.write_readme(result, readme)
    terminal.print_result(result, table_console(FILE_WIDTH))
    for path in written:
        click.echo(f"written: {path}")
    if keep is not None:  # last: a disturbed result may be refused
        click.echo(f"kept: {files.keep(result, keep)}")


@command.command()
@click.argument("first", type=PATH)
@click.argument("second", type=PATH)
@click.option(
    "--slower", type=FiniteRange(1, 100), default=1.10, show_default=True,
    help="A time this many times the old one is a regression.",
)  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="Also show what did not change.")
@click.pass_context
def compare(ctx: click.Context, first: Path, second: Path, slower: float, everything: bool) -> None:
    """Compare two results, FIRST the older: what became slower, larger or worse. Exits with code 3 on a regression."""
    from benchmarks.reporting import comparison, terminal
    from benchmarks.schema import read_result

    found = comparison.compare(read_result(first), read_result(second), slower)
    terminal.print_comparison(found, found.changes if everything else found.notable, table_console(FILE_WIDTH))
    if found.regressions:
        ctx.exit(OUT_OF_BOUNDS)


@command.command()
@click.option("--fields", default=20_000, show_default=True, type=click.IntRange(1), help="How many to examine.")
@click.option("--camera", default="simulated:", show_default=True, metavar="NAME", help="As in `smearscope run`.")
@click.option("--out", type=JSON_FILE, help="JSON file for every sample.")
@click.pass_context
def soak(ctx: click.Context, fields: int, camera: str, out: Path | None) -> None:
    """Run the device for thousands of fields and watch its memory and descriptors. Exits with code 3 over a limit."""
    from benchmarks.progress import show_progress
    from benchmarks.reporting import terminal
    from benchmarks.suites.soak import run_soak

    with tempfile.TemporaryDirectory(prefix="smearscope-soak-") as folder, show_progress() as progress:
        found = run_soak(fields, ("--camera", camera), Path(folder), progress)
    if out is not None:
        write_atomic(out, json.dumps(found.as_json(), indent=1, allow_nan=False).encode())
    terminal.print_soak(found, table_console(FILE_WIDTH))
    _exit_with(found.faults(), ctx)


@command.command()
@click.option(
    "--display",
    "displays",
    default=("none",),
    multiple=True,
    show_default=True,
    metavar="NAME",
    help="Again for more; none composes pictures and shows them nowhere.",
)
@click.option(
    "--rounds", default=6, show_default=True, type=click.IntRange(3), help="Of 12 fields, with pictures and without."
)
@click.pass_context
def screen(ctx: click.Context, displays: tuple[str, ...], rounds: int) -> None:
    """Move a stage: pictures a second, and whether inference is slower for them. Exits with code 3 over a limit."""
    from benchmarks.progress import show_progress
    from benchmarks.reporting import terminal
    from benchmarks.suites.following import FIELDS, measure_following
    from benchmarks.suites.levels import base_level, levels_of
    from device.bundles import shipped_bundle
    from smear.bundle.folder import load_bundle

    bundle = load_bundle(shipped_bundle())
    with tempfile.TemporaryDirectory(prefix="smearscope-screen-") as folder, show_progress() as progress:
        level = base_level(levels_of(bundle))
        found = measure_following(bundle, level, displays, rounds, FIELDS, Path(folder), progress)
    terminal.print_following(found, table_console(FILE_WIDTH))
    _exit_with([fault for each in found for fault in each.faults()], ctx)


@command.command()
@click.option("--seconds", default=30, show_default=True, type=click.IntRange(6), help="For two browsers to look.")
@click.option(
    "--rounds", default=8, show_default=True, type=click.IntRange(3), help="With idle connections and without."
)
@click.pass_context
def web(ctx: click.Context, seconds: int, rounds: int) -> None:
    """Measure a field's way to the browser, and what a hundred idle connections cost."""
    from benchmarks.progress import show_progress
    from benchmarks.reporting import terminal
    from benchmarks.suites.viewers import measure_viewers

    with tempfile.TemporaryDirectory(prefix="smearscope-web-") as folder, show_progress() as progress:
        found = measure_viewers(seconds, rounds, Path(folder), progress)
    terminal.print_viewers(found, table_console(FILE_WIDTH))
    _exit_with(found.faults(), ctx)


@command.command()
@click.option(
    "--records", "most", default=1_000_000, show_default=True, type=click.IntRange(1_000),
    help="Size of the last store.",
)  # fmt: skip
@click.option("--folder", type=PATH, help="Keep the store there.  [default: a temporary folder]")
@click.option("--out", type=JSON_FILE, help="JSON file for the figures.")
@click.pass_context
def records(ctx: click.Context, most: int, folder: Path | None, out: Path | None) -> None:
    """Time `slides list` and `slides show` from a thousand to a million fields. Exits with code 3 over 50 ms."""
    from benchmarks.progress import show_progress
    from benchmarks.reporting import terminal
    from benchmarks.suites.store_queries import measure_stores, too_slow

    with tempfile.TemporaryDirectory(prefix="smearscope-records-") as scratch, show_progress() as progress:
        found = measure_stores(folder or Path(scratch), most, progress)
    if out is not None:
        write_atomic(out, json.dumps([asdict(timing) for timing in found], indent=1, allow_nan=False).encode())
    terminal.print_queries(found, table_console(FILE_WIDTH))
    _exit_with(too_slow(found), ctx)


@command.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--pictures", default=2600, show_default=True, type=click.IntRange(1), help="To draw without FOLDER.")
@click.option("--workers", multiple=True, type=click.IntRange(1), help="Beside 1.  [default: 2 to all processors]")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(3), help="Of every number of workers.")
@click.option("--out", type=JSON_FILE, help="JSON file for the figures.")
@click.pass_context
def archive(
    ctx: click.Context, folder: Path | None, pictures: int, workers: tuple[int, ...], rounds: int, out: Path | None
) -> None:  # fmt: skip
    """Time `analyze --workers` over the pictures in FOLDER. Exits with code 3 where two are not 1.85 times as fast."""
    from benchmarks.environment import LoadMonitor
    from benchmarks.progress import show_progress
    from benchmarks.suites.archive import ANALYZE, draw_archive, measure_archive
    from device.archive.workers import usable_workers
    from device.bundles import shipped_bundle

    monitor = LoadMonitor()
    with tempfile.TemporaryDirectory(prefix="smearscope-archive-") as temporary, show_progress() as progress:
        scratch = Path(temporary)
        if folder is None:
            folder = scratch / "pictures"
            draw_archive(folder, pictures, progress)
        command = (*ANALYZE, "--bundle", str(shipped_bundle()), "--data", str(scratch / "data"))
        numbers = workers or range(1, usable_workers() + 1)
        found = measure_archive(command, folder.absolute(), numbers, rounds, scratch, progress)
    if out is not None:
        write_atomic(out, json.dumps([asdict(each) for each in found], indent=1, allow_nan=False).encode())
    for each in found:
        click.echo(each)
    click.echo(f"meanwhile other processes kept {monitor.others_busy():.1f} processors busy")
    _exit_with([fault for each in found for fault in each.faults()], ctx)


@command.command()
@click.option("--bundle", type=PATH, help="Folder of a model bundle.  [default: the one in use]")
@data_option
@config_option
def pick(bundle: Path | None, data_path: Path | None, config_path: Path | None) -> None:
    """Find the fastest level and number of threads on this machine, for `model.level` and `model.threads` = "auto".

    Takes half a minute, and only on a machine that does nothing else: a busy one is refused.
    """
    from benchmarks.pick import measure_pick
    from benchmarks.progress import show_progress

    settings, data = settings_and_data(config_path, data_path)
    with show_progress() as progress:
        found = measure_pick(bundle_path(settings, data, bundle), settings, progress)
    for each in found.figures:
        times = f"{each.ratio[1]:.2f} to {each.ratio[2]:.2f} times the first"
        click.echo(f"{each.level}, {each.threads} threads: {each.ms:.1f} ms a field, {times}")
    click.echo(f"picked: {found.level} with {found.threads} threads; kept in {write_pick(data, found)}")
    if (settings.model.level, settings.model.threads) != (AUTO, AUTO):
        click.echo('it is used where the settings say: model.level = "auto", model.threads = "auto"')


def _exit_with(faults: list[str], ctx: click.Context) -> None:
    for fault in faults:
        click.echo(f"smearscope: {fault}", err=True)
    if faults:
        ctx.exit(OUT_OF_BOUNDS)
