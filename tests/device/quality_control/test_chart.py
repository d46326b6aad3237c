"""Levey-Jennings charts in the terminal, as SVG and as a page."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest
from rich.console import Console

from device.quality_control.chart import page, results_table, svg, terminal_chart
from device.quality_control.levey_jennings import chart_of
from device.quality_control.location import location_test
from device.quality_control.measurements import Expected, QcMeasurement, judged
from device.system.clock import Moment

SVG = "{http://www.w3.org/2000/svg}"
HTML = "<script>alert(1)</script>"


def history(*scores: float, lot: str = "L1", operator: str = "anna") -> list[QcMeasurement]:
    found: list[QcMeasurement] = []
    for day, z in enumerate(scores):
        one = judged("slide.focus", 0.9 + z * 0.02, lot, found, Expected(0.9, 0.02), day + 1)
        at = Moment(1_790_000_000.0 + day * 86400)
        found.append(replace(one, run=day + 1, operator=operator, reason="lamp changed" if day == 2 else "", at=at))
    return found


def printed(renderable, width: int = 80) -> str:
    console = Console(width=width, record=True, file=None, force_terminal=False)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def test_the_terminal_shows_each_measurement_at_its_height_and_the_rules_it_broke():
    text = printed(terminal_chart(chart_of("slide.focus", "L1", history(0.0, 5.0, 0.4, 2.3), 60)))
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].strip() == "slide: focus, lot L1"
    assert "mean 0.9, sd 0.02, given" in lines[1]
    assert lines[2][20 - 4] == "✖"  # 5 standard deviations: at the edge
    assert next(line for line in lines if "mean 0.9 " in line)[12] == "●"
    assert "1-3s 1-2s anna" in text
    assert text.count("▲") == 2  # one, and in the legend


def test_a_chart_of_more_measurements_than_columns_shows_the_newest():
    drawn = chart_of("slide.focus", "L1", history(*[0.1] * 8, *[-0.1] * 70), 66)
    assert len(drawn.points) == 66
    assert max(map(len, printed(terminal_chart(drawn)).splitlines())) <= 80


@pytest.mark.parametrize("columns", [40, 80, 160])
def test_the_chart_is_as_wide_as_the_terminal_and_ends_with_the_newest(columns):
    drawn = chart_of("slide.focus", "L1", history(*[0.1] * 60, 5.0), 66)
    lines = [line for line in printed(terminal_chart(drawn, columns), 200).splitlines() if "✖" in line or "─" in line]
    assert columns - 14 <= max(map(len, lines)) <= columns
    assert "✖" in lines[0]


def test_a_test_with_a_limit_has_one_line():
    drawn = chart_of("location.recall", "", [location_test(200 - n, n, 0.95) for n in (2, 12, 5)], 60)
    assert [(line.y, line.label) for line in drawn.lines] == [(0.95, "limit 0.95")]
    assert [point.kind for point in drawn.points] == ["passed", "failed", "passed"]
    assert "limit 0.95 ─" in printed(terminal_chart(drawn))


def test_the_svg_has_a_mark_for_each_measurement_with_its_rules():
    root = ElementTree.fromstring(svg(chart_of("slide.focus", "L1", history(0.0, 3.5, 0.4, 2.3), 60)))
    assert len(root.findall(f"{SVG}g/{SVG}circle")) == 2
    assert len(root.findall(f"{SVG}g/{SVG}title")) == 4
    assert {each.text for each in root.findall(f"{SVG}g/{SVG}text")} == {"1-3s", "1-2s"}


@pytest.mark.parametrize("write", [svg, page])
def test_names_are_text_and_never_markup(write):
    made = write(chart_of("slide.focus", HTML, history(0.0, 3.5, lot=HTML, operator=f"{HTML}\x1b[2J"), 60))
    assert "<script" not in made
    assert "&lt;script&gt;" in made
    assert "\x1b" not in made


def test_results_are_listed_in_80_columns_with_what_was_expected():
    text = printed(results_table([*history(0.0, 3.5), location_test(196, 4, 0.95)]))
    assert max(map(len, text.splitlines())) <= 80
    assert "0.9 ± 0.02" in text
    assert "failed 1-3s 1-2s" in text
    assert "≥ 0.95 (0.950 to 0.992)" in text
