"""The quality control of the day: what is measured, whether the device is cleared, and the charts."""

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Annotated, Any

from pydantic import Field

from device.actions.base import Action, Context, Count, Request, Role, SlideName
from device.cameras.calibration import ProfileStore
from device.quality_control.chart import MAX_POINTS
from device.quality_control.control_slide import calibration_test, slide_measures
from device.quality_control.levey_jennings import Chart, chart_of
from device.quality_control.location import location_test
from device.quality_control.measurements import MEASURES, Expected, QcMeasurement, QcTest, judged
from device.quality_control.state import QcState, in_force, state_of
from device.store import SlideRecord
from device.store.names import MAX_OPERATOR, checked_text
from device.system.clock import moment
from smear import RESEARCH_USE_ONLY
from smear.errors import StoreError
from smear.output_files import printable

MeanAndSd = Annotated[list[float], Field(min_length=2, max_length=2)]


class Record(Request):
    """What was done after a test had failed; needed where it passes then."""

    reason: str = ""


class RecordLocation(Record):
    """How many cells were found, which the slide says where they are left out, and how many a person saw besides."""

    missed: Count
    found: Count | None = None
    slide: SlideName | None = None


class RecordSlide(Record):
    """A recorded control slide, its lot, and mean and standard deviation that hold for the lot from now on."""

    slide: SlideName
    lot: str
    expected: dict[str, MeanAndSd] = Field(default_factory=dict, max_length=len(MEASURES))


class RecordCalibration(Record):
    """A recorded slide."""

    slide: SlideName


class ChartOf(Request):
    """Which measurements: of which lot, and how many of the newest."""

    measure: str
    lot: str | None = None
    last: Annotated[int, Field(ge=2, le=1000)] = MAX_POINTS


def state(context: Context) -> QcState:
    """Return the state whether or not the settings ask for it, of a simulated microscope where that recorded last."""
    newest = context.store.slides(1)
    return state_of(context.store.qc_runs(2), context.settings.qc, moment(), bool(newest) and newest[0].simulated)


def state_json(context: Context) -> dict[str, Any]:
    """Return the state and the newest quality control as JSON types."""
    runs = context.store.qc_runs(1)
    return (state(context).to_json() or {}) | {
        "required": context.settings.qc.required,
        "run": runs[0].to_json() if runs else None,
        "notice": RESEARCH_USE_ONLY,
    }


def checked_expected(name: str, mean: float, sd: float) -> tuple[str, Expected]:
    """Return the measure called `name`, of a control slide, and what is expected of it.

    Raises:
        StoreError: there is no such measure, or the numbers cannot be expected.
    """
    measure = f"{QcTest.SLIDE}.{name.strip().removeprefix('slide.')}"
    if measure not in MEASURES or not math.isfinite(mean) or not 0 < sd < math.inf:
        known = ", ".join(each.removeprefix("slide.") for each in MEASURES if each.startswith("slide."))
        raise StoreError(f"expected takes MEASURE=MEAN,SD with one of {known}, as in cells=12.5,1.1")
    return measure, Expected(mean, sd)


def record_location(context: Context, request: RecordLocation) -> list[QcMeasurement]:
    """Record how many of at least 200 cells were found."""
    slide = context.store.slide_called(request.slide) if request.slide else None
    found = request.found
    if found is None:
        if slide is None:
            raise StoreError("say how many cells were found, or name the slide")
        found = sum(each.cell_count for each in context.store.all_fields(slide.id))
    return _add(context, request, [location_test(found, request.missed, context.settings.qc.min_recall)], slide)


def record_slide(context: Context, request: RecordSlide) -> list[QcMeasurement]:
    """Record what a control slide measures, by Westgard's rules."""
    store, lot = context.store, checked_text("a lot", request.lot, MAX_OPERATOR)
    given = dict(checked_expected(name, *values) for name, values in request.expected.items())
    slide = store.slide_called(request.slide)
    run = run_in_force(context)
    fields = list(store.all_fields(slide.id))
    cells = (cell for each in fields if each.label is not None for cell in store.cells(each.id))
    areas = [cell.area_um2 for cell in cells if cell.area_um2 is not None and not cell.touches_edge]
    values = slide_measures(fields, areas)
    if unknown := ", ".join(given.keys() - values.keys()):
        raise StoreError(f"{unknown}: not measured on this slide, so nothing can be expected of it; calibrate first")
    measured = [
        judged(measure, value, lot, store.qc(measure), given.get(measure), run) for measure, value in values.items()
    ]
    return _add(context, request, measured, slide)


def record_calibration(context: Context, request: RecordCalibration) -> list[QcMeasurement]:
    """Record focus, light and white balance of a slide against the calibration in force."""
    slide = context.store.slide_called(request.slide)
    measured = calibration_test(list(context.store.all_fields(slide.id)), ProfileStore(context.store.folder).in_use())
    return _add(context, request, measured, slide)


def chart(context: Context, request: ChartOf) -> Chart:
    """Return a Levey-Jennings chart.

    Raises:
        StoreError: it was not measured yet, or not of that lot.
    """
    if request.measure not in MEASURES:
        raise StoreError(f"{printable(request.measure)!r} is no measure; one of {', '.join(MEASURES)}")
    every, lot = context.store.qc(request.measure), request.lot
    if not every:
        raise StoreError(f"{request.measure} was not measured yet; 'smearscope qc start' says how")
    lot = every[-1].lot if lot is None else lot
    drawn = chart_of(request.measure, lot, [each for each in every if each.lot == lot], request.last)
    if not drawn.points:
        lots = ", ".join(sorted({each.lot for each in every}))
        raise StoreError(f"{request.measure} was not measured of lot {printable(lot)!r}, but of {lots}")
    return drawn


def run_in_force(context: Context) -> int:
    """Return the number of the quality control that results belong to; 0: the next one begins a new one."""
    runs = context.store.qc_runs(1)
    return runs[0].id if runs and in_force(runs[0].at, context.settings.qc, moment()) else 0


def _add(
    context: Context, request: Record, measured: Sequence[QcMeasurement], slide: SlideRecord | None
) -> list[QcMeasurement]:
    about = {"simulated": True} if slide is not None and slide.simulated else {}
    belonging = [replace(each, slide_id=slide.id if slide else None, details=each.details | about) for each in measured]
    begin = not run_in_force(context)
    return context.store.add_qc(context.operator, belonging, reason=request.reason, begin=begin)


def _recorded(context: Context, added: Sequence[QcMeasurement]) -> dict[str, Any]:
    return {"measurements": [each.to_json() for each in added], "passed": all(each.passed for each in added)}


ACTIONS: tuple[Action[Any], ...] = (
    Action("qc start", "Begin a quality control", Role.OPERATOR, Request,
           lambda context, _: context.store.begin_qc(context.operator).to_json(), changes=True),
    Action("qc record location", "Record how many cells were found and missed", Role.OPERATOR, RecordLocation,
           lambda context, request: _recorded(context, record_location(context, request)), changes=True),
    Action("qc record slide", "Compare a control slide with what its lot should measure", Role.OPERATOR, RecordSlide,
           lambda context, request: _recorded(context, record_slide(context, request)), changes=True),
    Action("qc record calibration", "Compare a slide with the calibration in force", Role.OPERATOR, RecordCalibration,
           lambda context, request: _recorded(context, record_calibration(context, request)), changes=True),
    Action("qc status", "Show whether the device is cleared today", Role.VIEWER, Request,
           lambda context, _: state_json(context)),
    Action("qc chart", "Return a Levey-Jennings chart", Role.VIEWER, ChartOf,
           lambda context, request: asdict(chart(context, request))),
)  # fmt: skip
