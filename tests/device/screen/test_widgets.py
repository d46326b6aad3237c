"""Boxes and widgets, each alone."""

import numpy as np
import pytest

from device.screen.drawing.boxes import Box
from device.screen.drawing.canvas import Canvas
from device.screen.drawing.themes import DARK, LIGHT
from device.screen.drawing.widgets import LINE_STYLES, black_or_white, button, flow, letter, lines, sample

BOX = Box(10, 10, 100, 40)


@pytest.mark.parametrize("gap", [0, 3])
def test_rows_and_columns_fill_a_box_without_overlap(gap: int) -> None:
    for parts, along, across in ((BOX.rows((1, 2, 1), gap), 1, 0), (BOX.columns((3, 1), gap), 0, 1)):
        starts = [(part.x, part.y)[along] for part in parts]
        ends = [start + (part.width, part.height)[along] for start, part in zip(starts, parts, strict=True)]
        assert (starts[0], ends[-1]) == (10, 10 + (100, 40)[along])
        assert [after - before for before, after in zip(ends, starts[1:], strict=False)] == [gap] * (len(parts) - 1)
        assert {(part.width, part.height)[across] for part in parts} == {(100, 40)[across]}


def test_a_flow_goes_on_in_the_next_row_where_one_is_full() -> None:
    assert flow(BOX, (60, 30, 50, 200), 10, 5) == [
        Box(10, 10, 60, 10), Box(75, 10, 30, 10), Box(10, 20, 50, 10), Box(10, 30, 100, 10)
    ]  # fmt: skip


def test_a_button_that_does_nothing_has_no_edge() -> None:
    edges = []
    for usable in (True, False):
        canvas = Canvas((120, 60), DARK)
        button(canvas, BOX, "End slide", 16, usable=usable)
        edges.append(tuple(canvas.pixels[10, 10]))
        assert [each.whole for each in canvas.written] == [True]
    assert edges == [DARK.quiet, DARK.background]


def test_the_lines_of_a_list_have_one_size_and_lie_one_under_another() -> None:
    canvas = Canvas((120, 60), LIGHT)
    lines(canvas, BOX, [("short", LIGHT.text), ("a line that is rather long", LIGHT.quiet)], 14)
    first, second = canvas.written
    assert first.px == second.px < 14
    assert first.boxes[0].y + first.boxes[0].height <= second.boxes[0].y
    lines(canvas, BOX, [], 16)


@pytest.mark.parametrize("style", range(len(LINE_STYLES)))
def test_a_sample_shows_the_line_that_cells_of_the_class_have(style: int) -> None:
    canvas = Canvas((120, 60), DARK)
    sample(canvas, Box(10, 10, 72, 12), style, (9, 9, 9), (200, 200, 200))
    drawn = (canvas.pixels[16, 10:82] == 9).all(axis=1)
    period, pieces = LINE_STYLES[style]
    assert drawn.sum() / 72 == pytest.approx(sum(stop - start for start, stop in pieces) / period, abs=0.15)


@pytest.mark.parametrize(("colour", "ink"), [((255, 255, 0), (0, 0, 0)), ((40, 0, 120), (255, 255, 255))])
def test_a_letter_can_be_read_on_its_colour(colour: tuple[int, int, int], ink: tuple[int, int, int]) -> None:
    assert black_or_white(colour) == ink
    canvas = Canvas((120, 60), DARK)
    letter(canvas, BOX, "E", 20, colour)
    area = canvas.pixels[10:50, 10:110]
    assert np.array_equal(np.unique(area[[0, -1]].reshape(-1, 3), axis=0), [colour])
    assert (area == ink).all(axis=2).any()
