"""What pages have in common: the row of buttons at the bottom, and lists that go on in further pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from device.screen.arrangement import Places
from device.screen.drawing.boxes import Box
from device.screen.drawing.canvas import Canvas
from device.screen.drawing.widgets import button
from device.screen.navigation.page import Control

ROW = 3.2  # height of a row that can be touched, in heights of the text


@dataclass(frozen=True, slots=True)
class Item:
    """One button or row: what it is called, what it says, and its key."""

    name: str
    label: str
    key: str = ""
    usable: bool = True
    value: Any = None


BACK = Item("back", "Back", "escape")


def button_row(
    canvas: Canvas, box: Box, px: int, items: Sequence[Item], widths: Sequence[float] = ()
) -> tuple[Control, ...]:
    """Draw a row of buttons."""
    boxes = box.columns(widths or [1] * len(items), max(3, px // 2))
    for item, each in zip(items, boxes, strict=True):
        button(canvas, each, item.label, round(1.2 * px), usable=item.usable, key=item.key)
    return tuple(
        Control(item.name, each, item.label, item.key, item.usable, item.value)
        for item, each in zip(items, boxes, strict=True)
    )


def button_grid(canvas: Canvas, box: Box, px: int, items: Sequence[Item], columns: int) -> tuple[Control, ...]:
    """Draw buttons in rows of `columns` that fill `box`."""
    gap, count = max(3, px // 2), -(-len(items) // columns)
    controls = list[Control]()
    for number, row in enumerate(box.rows([1] * count, gap)):
        part = items[number * columns : (number + 1) * columns]
        cells = row.columns([1] * columns, gap)
        for item, cell in zip(part, cells, strict=False):
            controls.extend(button_row(canvas, cell, px, (item,)))
    return tuple(controls)


def list_rows(canvas: Canvas, places: Places, box: Box, items: Sequence[Item], first: int) -> tuple[Control, ...]:
    """Draw as many of `items` as there is room for, from number `first` on, and two buttons to go on and back.

    The buttons are called "rows" and their value is the number to begin with; a page keeps it as `first`.
    """
    px, gap = places.text_px, places.gap
    fits = max(1, (box.height + gap) // (round(ROW * px) + gap))
    if fits < len(items):  # a column at the side, which takes no row
        box, side = box.columns((box.width - 6 * px, 6 * px), gap)
        up, down = side.rows((1, 1), gap)
    controls = list[Control]()
    for number, item in enumerate(items[first : first + fits]):
        row = Box(box.x, box.y + number * (round(ROW * px) + gap), box.width, round(ROW * px))
        button(canvas, row, item.label, px, usable=item.usable, key=item.key, align="left")
        controls.append(Control(item.name, row, item.label, item.key, item.usable, item.value))
    if fits < len(items):
        earlier = Item("rows", "▲", "page up", first > 0, max(0, first - fits))
        later = Item("rows", "▼", "page down", first + fits < len(items), first + fits)
        controls += [*button_row(canvas, up, px, (earlier,)), *button_row(canvas, down, px, (later,))]
    return tuple(controls)
