"""`smearscope qc`: the quality control of the day, and its charts."""

import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from device.actions import qc
from device.actions.base import Context
from device.commands.options import config_option, data_option, json_text, operator_option, with_store_and_settings
from device.quality_control.chart import MAX_POINTS, page, results_table, svg, terminal_chart
from device.quality_control.measurements import MEASURES, NOT_CLEARED_TODAY, QcMeasurement, QcTest
from device.quality_control.state import QcState
from device.reporting.tables import local_time
from device.settings import Settings
from device.store import Store
from smear import RESEARCH_USE_ONLY
from smear.errors import StoreError
from smear.output_files import printable, write_atomic

NOT_CLEARED = 3  # exit code: all was measured, and it is not good enough
_HOW_TO = {
    QcTest.LOCATION: "count missed cells among 200: smearscope qc record location --found N --missed N",
    QcTest.SLIDE: "record the control slide, then: smearscope qc record slide SLIDE --lot LOT",
    QcTest.CALIBRATION: "of a slide of today: smearscope qc record calibration SLIDE",
}
_WRITERS: dict[str, Callable[..., str]] = {".svg": svg, ".html": page}


@click.group()
@data_option
@config_option
@click.pass_context
def command(ctx: click.Context, data_path: Path | None, config_path: Path | None) -> None:
    """Do the quality control of the day; look at its charts. SLIDE is the number of a slide, or its name.

    Where the settings ask for it (qc.required), every record says that the device is not cleared today until it is
    done. A result that failed is measured again; none is ever deleted.
    """
    ctx.obj = data_path, config_path


@command.command()
@operator_option
@with_store_and_settings
def start(store: Store, settings: Settings, operator: str) -> None:
    """Begin a quality control; what was measured before no longer clears the device.

    The first 'qc record' of a day begins one by itself: start another after a new stain, lamp, camera or bundle.
    """
    run = store.begin_qc(operator)
    click.echo(f"quality control {run.id} has begun ({printable(run.operator)}); to be done:")
    for test in settings.qc.tests:
        click.echo(f"  {test:12} {_HOW_TO[test]}")


@command.group()
def record() -> None:
    """Record a result. Exit code 3: it was recorded and did not pass."""


def _recording(function: Callable[..., None]) -> Any:
    for option in (
        with_store_and_settings,
        operator_option,
        click.option("--reason", default="", help="What was done after it had failed; needed where it passes then."),
    ):
        function = option(function)
    return function


@record.command()
@click.option("--found", type=click.IntRange(0), metavar="N", help="Cells found.  [default: those of --slide]")
@click.option("--missed", type=click.IntRange(0), required=True, metavar="N", help="Cells that a person saw besides.")
@click.option("--slide", "slide_name", metavar="SLIDE", help="The slide that was looked at.")
@_recording
def location(
    store: Store, settings: Settings, found: int | None, missed: int, slide_name: str | None, operator: str, reason: str
) -> None:
    """Of at least 200 cells in the pictures of a slide, how many were found and how many were missed."""
    if found is None and slide_name is None:
        raise click.UsageError("say with --found how many cells were found, or name the slide with --slide")
    asked = qc.RecordLocation.model_construct(found=found, missed=missed, slide=slide_name, reason=reason)
    _record(Context(store, settings, operator), lambda context: qc.record_location(context, asked))


@record.command()
@click.argument("slide_name", metavar="SLIDE")
@click.option("--lot", required=True, metavar="NAME", help="Lot of the control slide.")
@click.option("--expected", multiple=True, metavar="MEASURE=MEAN,SD",
              help="What the lot should measure, as cells=12.5,1.1; holds until it is given again. "
              "[default: established from its first 20 runs]")  # fmt: skip
@_recording
def slide(
    store: Store,
    settings: Settings,
    slide_name: str,
    lot: str,
    expected: Sequence[str],
    operator: str,
    reason: str,
) -> None:
    """Compare a recorded control slide with what its lot should measure, by Westgard's rules."""
    given = {measure: list(known) for measure, known in map(_expected, expected)}
    asked = qc.RecordSlide.model_construct(slide=slide_name, lot=lot, expected=given, reason=reason)
    _record(Context(store, settings, operator), lambda context: qc.record_slide(context, asked))


@record.command()
@click.argument("slide_name", metavar="SLIDE")
@_recording
def calibration(store: Store, settings: Settings, slide_name: str, operator: str, reason: str) -> None:
    """Compare focus, light and white balance of a recorded slide with the calibration in force."""
    asked = qc.RecordCalibration.model_construct(slide=slide_name, reason=reason)
    _record(Context(store, settings, operator), lambda context: qc.record_calibration(context, asked))


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print it as one JSON object.")
@with_store_and_settings
def status(store: Store, settings: Settings, as_json: bool) -> None:
    """Show whether the device is cleared today, and the results. Exit code 3: it is not."""
    context = Context(store, settings)
    state, runs = qc.state(context), store.qc_runs(1)
    if as_json:
        click.echo(json_text(qc.state_json(context)))
    else:
        if runs:
            click.echo(f"quality control {runs[0].id}, begun {local_time(runs[0].at.wall_s)} by {runs[0].operator}")
            Console().print(results_table(runs[0].latest()))
        _say(state, settings)
    if not state.cleared:
        sys.exit(NOT_CLEARED)


@command.command()
@click.argument("measure", type=click.Choice(list(MEASURES)), metavar="MEASURE")
@click.option("--lot", metavar="NAME", help="Lot of the control slide.  [default: the one measured last]")
@click.option("--last", type=click.IntRange(2, 1000), default=MAX_POINTS, show_default=True, help="Newest to draw.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write it as .svg or .html instead.")
@with_store_and_settings
def chart(store: Store, settings: Settings, measure: str, lot: str | None, last: int, out: Path | None) -> None:
    """Draw a Levey-Jennings chart, with the rules that each measurement broke.

    MEASURE is one of location.recall, slide.cells, slide.cell_area, slide.accepted, slide.focus, slide.brightness,
    slide.colour_drift, calibration.focus, calibration.light, calibration.white.
    """
    last = last if out else min(last, MAX_POINTS)
    drawn = qc.chart(Context(store, settings), qc.ChartOf.model_construct(measure=measure, lot=lot, last=last))
    if out is None:
        console = Console()
        console.print(terminal_chart(drawn, console.width))
        return
    writer = _WRITERS.get(out.suffix.lower())
    if writer is None:
        raise click.UsageError("--out takes a file that ends with .svg or .html")
    write_atomic(out, writer(drawn).encode())
    click.echo(f"wrote {printable(out)}")


def _expected(text: str) -> tuple[str, tuple[float, float]]:
    name, _, numbers = text.partition("=")
    try:
        mean, sd = map(float, numbers.split(","))
    except ValueError:
        mean = sd = math.nan
    try:
        return qc.checked_expected(name, mean, sd)[0], (mean, sd)
    except StoreError as error:
        raise click.BadParameter(f"--{error}") from None


def _record(context: Context, test: Callable[[Context], list[QcMeasurement]]) -> None:
    """Record what `test` measures, and say how it and the device stand."""
    run = qc.run_in_force(context)
    added = test(context)
    if not run:
        click.echo(f"quality control {added[0].run} has begun")
    Console().print(results_table(added))
    _say(qc.state(context), context.settings)
    if not all(each.passed for each in added):
        sys.exit(NOT_CLEARED)


def _say(state: QcState, settings: Settings) -> None:
    cleared = f"cleared today, since {local_time(state.since)}" if state.since else "cleared today"
    click.echo(cleared if state.cleared else f"{NOT_CLEARED_TODAY}: {'; '.join(state.reasons)}")
    if not settings.qc.required:
        click.echo("the settings do not ask for it (qc.required): records carry no mark")
    click.echo(RESEARCH_USE_ONLY)
