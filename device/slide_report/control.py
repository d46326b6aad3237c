"""The quality control that was in force while a slide was taken: its results, and the charts of its control slide."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from device.quality_control.chart import svg
from device.quality_control.levey_jennings import chart_of, kind_of
from device.quality_control.measurements import QcMeasurement, QcRun, QcTest
from device.quality_control.state import run_before
from device.store import Store

MAX_POINTS = 30  # of a chart
MAX_CHARTS = 3  # those that failed or warn first
_FIRST = ("failed", "warning", "passed")


@dataclass(frozen=True, slots=True)
class Control:
    """One quality control."""

    run: QcRun
    results: Sequence[QcMeasurement]
    charts: Sequence[Markup]  # SVG
    more: int  # charts that are not shown


def control_of(store: Store, last_s: float | None) -> Control | None:
    """Return the newest quality control that was begun before `last_s`, Unix time; None: there is none."""
    run = None if last_s is None else run_before(store, last_s)
    if run is None:
        return None
    results = run.latest()
    charted = sorted(
        (each for each in results if each.test is QcTest.SLIDE), key=lambda each: _FIRST.index(kind_of(each))
    )
    charts = [Markup(_chart(store, each)) for each in charted[:MAX_CHARTS]]
    return Control(run, results, charts, len(charted) - len(charts))


def _chart(store: Store, newest: QcMeasurement) -> str:
    """Return the chart of a measure up to `newest`."""
    history = [each for each in store.qc(newest.measure, newest.lot) if each.id <= newest.id]
    return svg(chart_of(newest.measure, newest.lot, history, MAX_POINTS))
