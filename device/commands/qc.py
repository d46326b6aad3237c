"""`smearscope qc`: the quality control of the day, and its charts."""

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from device.cameras.calibration import ProfileStore
from device.commands.options import config_option, data_option, json_text, operator_option, with_store_and_settings
from device.quality_control.chart import MAX_POINTS, page, results_table, svg, terminal_chart
from device.quality_control.control_slide import calibration_test, slide_measures
from device.quality_control.levey_jennings import chart_of
from device.quality_control.location import location_test
from device.quality_control.measurements import MEASURES, NOT_CLEARED_TODAY, Expected, QcMeasurement, QcTest, judged
from device.quality_control.state import QcState, in_force, state_of
from device.reporting.tables import local_time
from device.settings import Settings
from device.store import SlideRecord, Store
from device.store.names import MAX_OPERATOR, checked_text
from device.system.clock import moment
from smear import RESEARCH_USE_ONLY
from smear.errors import StoreError
from smear.output_files import OutputFolder, printable

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
    slide = store.slide_called(slide_name) if slide_name else None
    if found is None:
        if slide is None:
            raise click.UsageError("say with --found how many cells were found, or name the slide with --slide")
        found = sum(each.cell_count for each in store.all_fields(slide.id))
    _add(store, settings, operator, reason, [location_test(found, missed, settings.qc.min_recall)], slide)


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
    lot, given = checked_text("a lot", lot, MAX_OPERATOR), dict(map(_expected, expected))
    found = store.slide_called(slide_name)
    run = _run_in_force(store, settings)
    fields = list(store.all_fields(found.id))
    cells = (cell for each in fields if each.label is not None for cell in store.cells(each.id))
    areas = [cell.area_um2 for cell in cells if cell.area_um2 is not None and not cell.touches_edge]
    values = slide_measures(fields, areas)
    if unknown := ", ".join(given.keys() - values.keys()):
        raise StoreError(f"{unknown}: not measured on this slide, so nothing can be expected of it; calibrate first")
    measured = [
        judged(measure, value, lot, store.qc(measure), given.get(measure), run) for measure, value in values.items()
    ]
    _add(store, settings, operator, reason, measured, found)


@record.command()
@click.argument("slide_name", metavar="SLIDE")
@_recording
def calibration(store: Store, settings: Settings, slide_name: str, operator: str, reason: str) -> None:
    """Compare focus, light and white balance of a recorded slide with the calibration in force."""
    found = store.slide_called(slide_name)
    measured = calibration_test(list(store.all_fields(found.id)), ProfileStore(store.folder).in_use())
    _add(store, settings, operator, reason, measured, found)


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print it as one JSON object.")
@with_store_and_settings
def status(store: Store, settings: Settings, as_json: bool) -> None:
    """Show whether the device is cleared today, and the results. Exit code 3: it is not."""
    state, runs = _state(store, settings), store.qc_runs(1)
    if as_json:
        shown = (state.to_json() or {}) | {
            "required": settings.qc.required,
            "run": runs[0].to_json() if runs else None,
            "notice": RESEARCH_USE_ONLY,
        }
        click.echo(json_text(shown))
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
    every = store.qc(measure)
    if not every:
        raise StoreError(f"{measure} was not measured yet; 'smearscope qc start' says how")
    lot = every[-1].lot if lot is None else lot
    drawn = chart_of(measure, lot, [each for each in every if each.lot == lot], last if out else min(last, MAX_POINTS))
    if not drawn.points:
        lots = ", ".join(sorted({each.lot for each in every}))
        raise StoreError(f"{measure} was not measured of lot {printable(lot)!r}, but of {lots}")
    if out is None:
        Console().print(terminal_chart(drawn))
        return
    writer = _WRITERS.get(out.suffix.lower())
    if writer is None:
        raise click.UsageError("--out takes a file that ends with .svg or .html")
    with OutputFolder(out.parent) as folder:
        folder.write(out.name, writer(drawn).encode())
    click.echo(f"wrote {printable(out)}")


def _expected(text: str) -> tuple[str, Expected]:
    name, _, numbers = text.partition("=")
    measure = f"{QcTest.SLIDE}.{name.strip().removeprefix('slide.')}"
    try:
        mean, sd = map(float, numbers.split(","))
    except ValueError:
        mean = sd = math.nan
    if measure not in MEASURES or not math.isfinite(mean) or not 0 < sd < math.inf:
        known = ", ".join(each.removeprefix("slide.") for each in MEASURES if each.startswith("slide."))
        raise click.BadParameter(f"--expected takes MEASURE=MEAN,SD with one of {known}, as in cells=12.5,1.1")
    return measure, Expected(mean, sd)


def _run_in_force(store: Store, settings: Settings) -> int:
    """Return the number of the quality control that results belong to; 0: the next one begins a new one."""
    runs = store.qc_runs(1)
    return runs[0].id if runs and in_force(runs[0].at, settings.qc, moment()) else 0


def _add(
    store: Store,
    settings: Settings,
    operator: str,
    reason: str,
    measured: Sequence[QcMeasurement],
    slide: SlideRecord | None,
) -> None:
    """Record what was measured, and say how it and the device stand."""
    about = {"simulated": True} if slide is not None and slide.simulated else {}
    belonging = [replace(each, slide_id=slide.id if slide else None, details=each.details | about) for each in measured]
    run = _run_in_force(store, settings)
    added = store.add_qc(operator, belonging, reason=reason, begin=not run)
    if not run:
        click.echo(f"quality control {added[0].run} has begun")
    Console().print(results_table(added))
    _say(_state(store, settings), settings)
    if not all(each.passed for each in added):
        sys.exit(NOT_CLEARED)


def _state(store: Store, settings: Settings) -> QcState:
    """Return the state whether or not the settings ask for it, of a simulated microscope where that recorded last."""
    newest = store.slides(1)
    return state_of(store.qc_runs(2), settings.qc, moment(), bool(newest) and newest[0].simulated)


def _say(state: QcState, settings: Settings) -> None:
    cleared = f"cleared today, since {local_time(state.since)}" if state.since else "cleared today"
    click.echo(cleared if state.cleared else f"{NOT_CLEARED_TODAY}: {'; '.join(state.reasons)}")
    if not settings.qc.required:
        click.echo("the settings do not ask for it (qc.required): records carry no mark")
    click.echo(RESEARCH_USE_ONLY)
