"""A Levey-Jennings chart: the measurements of one control in order, against their mean and standard deviations."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from device.quality_control.measurements import MEASURES, Expected, QcMeasurement, expected_of

EDGE_Z = 4.0  # what lies beyond is drawn at the edge


@dataclass(frozen=True, slots=True)
class Line:
    """A horizontal line of the chart."""

    y: float
    label: str
    limit: float  # how far from the mean, in standard deviations; 0: the mean, 3: also the limit of a test


@dataclass(frozen=True, slots=True)
class Point:
    """One measurement in the chart."""

    y: float  # inside the chart: what lies outside is drawn at the edge
    measured: QcMeasurement

    @property
    def kind(self) -> str:
        """How it is marked, see `kind_of`."""
        return kind_of(self.measured)


def kind_of(measured: QcMeasurement) -> str:
    """Return how a measurement is marked: "passed", "warning" or "failed"."""
    if not measured.passed:
        return "failed"
    return "warning" if measured.rules else "passed"


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn, in coordinates of the y axis: z-scores, or values where a test has limits instead."""

    title: str
    subtitle: str
    low: float
    high: float
    lines: tuple[Line, ...]
    points: tuple[Point, ...]


def chart_of(measure: str, lot: str, history: Sequence[QcMeasurement], last: int) -> Chart:
    """Return the chart of the `last` measurements of one measure and lot; `history` is all of them, oldest first."""
    known = MEASURES[measure]
    title = f"{measure.partition('.')[0]}: {known.title}" + (f", lot {lot}" if lot else "")
    unit = f" {known.unit}" if known.unit else ""
    shown = history[-last:]
    if measure.startswith("slide."):
        expected, about = _expected(measure, history)
        lines = tuple(
            Line(k, f"{k:+d}s {expected.mean + k * expected.sd:.4g}" if k else f"mean {expected.mean:.4g}", abs(k))
            for k in (3, 2, 1, 0, -1, -2, -3)
        )
        subtitle = f"mean {expected.mean:.4g}, sd {expected.sd:.4g}{unit}, {about}"
        scores = [each.z if each.z is not None else (each.value - expected.mean) / expected.sd for each in shown]
        return Chart(title, subtitle, -EDGE_Z, EDGE_Z, lines, _points(shown, scores, -EDGE_Z, EDGE_Z))
    details = history[-1].details if history else {}
    lines = tuple(Line(details[name], f"limit {details[name]:.4g}", 3) for name in ("limit", "low", "high")
                  if name in details and (name == "limit" or "limit" not in details))  # fmt: skip
    values = [each.value for each in shown]
    spread = [*values, *(line.y for line in lines)]
    low, high = min(spread, default=0.0), max(spread, default=1.0)
    margin = (high - low) * 0.15 or 0.05
    return Chart(title, known.unit, low - margin, high + margin, lines,
                 _points(shown, values, low - margin, high + margin))  # fmt: skip


def _points(shown: Sequence[QcMeasurement], heights: Sequence[float], low: float, high: float) -> tuple[Point, ...]:
    return tuple(Point(min(high, max(low, y)), each) for each, y in zip(shown, heights, strict=True))


def _expected(measure: str, history: Sequence[QcMeasurement]) -> tuple[Expected, str]:
    """Return what the lines stand for, and in words where that comes from."""
    if found := expected_of(measure, history):
        return found, "given" if found.given else "established from the first 20 runs"
    values = [each.value for each in history]
    spread = stdev(values) if len(values) > 1 else 0.0
    sd = max(spread, MEASURES[measure].least_sd)
    return Expected(fmean(values) if values else 0.0, sd), f"of these {len(values)} runs alone: not established yet"
