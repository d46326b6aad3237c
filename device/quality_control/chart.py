"""A Levey-Jennings chart as a picture: for a terminal, as SVG, and as a page."""

from collections.abc import Sequence

from rich.box import SIMPLE
from rich.console import Group
from rich.table import Table
from rich.text import Text

from device.quality_control.levey_jennings import Chart, Point, kind_of
from device.quality_control.measurements import ESTABLISHED_AFTER, RECALL, QcMeasurement
from device.quality_control.westgard import MEANING, Rule
from device.reporting.tables import local_time
from smear.output_files import printable
from smear.templating import render

LABEL_COLUMNS, ROWS = 12, 17
MIN_PLOT_COLUMNS, MAX_POINTS = 20, 66  # of a plot in a terminal: MAX_POINTS fit into one of 80 columns
_MARKS = {"passed": ("●", "green"), "warning": ("▲", "yellow"), "failed": ("✖", "bold red")}
_WIDTH, _HEIGHT = 900, 420  # of the SVG, and the room around its plot
_LEFT, _RIGHT, _TOP, _BOTTOM = 96, 16, 64, 56
_DATES = 8  # at most below the plot


def terminal_chart(chart: Chart, columns: int = 80) -> Group:
    """Return the chart for a terminal, with a line for every measurement that broke a rule or failed.

    In fewer columns than measurements it shows the newest.
    """
    wide = max(MIN_PLOT_COLUMNS, columns - LABEL_COLUMNS - 2)
    points = chart.points[-wide:]
    step = (chart.high - chart.low) / (ROWS - 1)
    rows = [Text("─" * wide if _label(chart, row, step) else " " * wide, "dim") for row in range(ROWS)]
    pitch = max(1, min(4, wide // max(1, len(points))))
    for number, point in enumerate(points):
        mark, style = _MARKS[point.kind]
        row, column = round((chart.high - point.y) / step), number * pitch
        rows[row] = Text.assemble(rows[row][:column], (mark, style), rows[row][column + 1 :])
    lines = [
        Text.assemble((f"{_label(chart, row, step):>{LABEL_COLUMNS - 1}} ", "dim"), text)
        for row, text in enumerate(rows)
    ]
    legend = Text("● passed  ▲ warning  ✖ failed", "dim")
    return Group(Text(printable(chart.title), "bold"), Text(chart.subtitle), *lines, legend, *_marked_table(chart))


def results_table(measured: Sequence[QcMeasurement]) -> Table:
    """List measurements with what was expected of them, in 80 columns where the lot's name is short."""
    table = Table(box=SIMPLE, padding=0, show_edge=False)
    for title in ("measure", "lot", "value", "expected", "z", "result"):
        table.add_column(title, justify="right" if title in {"value", "z"} else "left", overflow="fold",
                         no_wrap=title == "measure")  # fmt: skip
    for each in measured:
        kind = kind_of(each)
        table.add_row(
            each.measure,
            Text(each.lot),
            f"{each.value:.4g}",
            expected_text(each),
            "" if each.z is None else f"{each.z:+.2f}",
            Text(" ".join([kind, *each.rules]), _MARKS[kind][1]),
        )
    return table


def expected_text(measured: QcMeasurement) -> str:
    """Return in words what a measurement was compared with."""
    about = measured.details
    if measured.mean is not None and measured.sd is not None:
        return f"{measured.mean:.4g} ± {measured.sd:.2g}"
    if about.get("expected") == "establishing":
        return f"run {about.get('known')} of {ESTABLISHED_AFTER} to establish it"
    if measured.measure == RECALL:
        return f"≥ {about.get('limit', 0):.2f} ({about.get('low', 0):.3f} to {about.get('high', 0):.3f})"
    if "low" in about:
        return f"{about['low']:.2f} to {about['high']:.2f}"
    return f"{'≥' if measured.measure.endswith('focus') else '≤'} {about.get('limit', 0):.2f}"


def svg(chart: Chart) -> str:
    """Return the chart as an SVG picture."""
    return render("device.quality_control", "chart.svg", **_geometry(chart))


def page(chart: Chart) -> str:
    """Return the chart as one HTML page with a table of its measurements."""
    rows = [_row(point) for point in reversed(chart.points)]
    return render("device.quality_control", "chart.html", rows=rows, meaning=MEANING, **_geometry(chart))


def _row(point: Point) -> dict[str, str]:
    """Return one measurement as texts."""
    found = point.measured
    return {
        "when": local_time(found.at.wall_s)[:16],
        "value": f"{found.value:.4g}",
        "z": "" if found.z is None else f"{found.z:+.2f}",
        "rules": " ".join(found.rules),
        "kind": point.kind,
        "operator": printable(found.operator),
        "reason": printable(found.reason),
    }


def _label(chart: Chart, row: int, step: float) -> str:
    """Return the label of the line that falls into a row of the terminal."""
    return next((line.label for line in chart.lines if round((chart.high - line.y) / step) == row), "")


def _marked_table(chart: Chart) -> list[Table]:
    marked = [_row(point) for point in chart.points if point.kind != "passed"]
    if not marked:
        return []
    table = Table(box=None, padding=(0, 1, 0, 0))
    for title in ("when", "value", "z", "rules", "operator", "reason"):
        table.add_column(title, overflow="fold")
    for row in marked:
        rules = Text(row["rules"] or row["kind"], _MARKS[row["kind"]][1])
        table.add_row(row["when"], row["value"], row["z"], rules, Text(row["operator"]), Text(row["reason"]))
    return [table]


def _geometry(chart: Chart) -> dict[str, object]:
    """Return where everything of the SVG lies, in its pixels."""
    wide, tall = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def down(y: float) -> float:
        return round(_TOP + (chart.high - y) / (chart.high - chart.low) * tall, 1)

    pitch = wide / max(1, len(chart.points))
    across = [round(_LEFT + (number + 0.5) * pitch, 1) for number in range(len(chart.points))]
    every = -(-len(chart.points) // _DATES) or 1
    return {
        "width": _WIDTH, "height": _HEIGHT, "left": _LEFT, "right": _WIDTH - _RIGHT, "top": _TOP,
        "bottom": _HEIGHT - _BOTTOM,
        "title": printable(chart.title),
        "subtitle": chart.subtitle,
        "lines": [(down(line.y), line.label, line.limit) for line in chart.lines],
        "points": [
            (x, down(point.y), point.kind, _marked(point), _row(point))
            for x, point in zip(across, chart.points, strict=True)
        ],
        "dates": _dates(across, chart.points, every),
    }  # fmt: skip


def _marked(point: Point) -> str:
    """Return the rules to write beside a point; the warning goes without saying where another one is broken."""
    rules = point.measured.rules
    return " ".join(rule for rule in rules if rule is not Rule.WARNING) or " ".join(rules)


def _dates(across: Sequence[float], points: Sequence[Point], every: int) -> list[tuple[float, str]]:
    return [
        (x, local_time(point.measured.at.wall_s)[:10])
        for number, (x, point) in enumerate(zip(across, points, strict=True))
        if number % every == 0
    ]
