"""What pages have in common: the row of buttons at the bottom, and lists that go on in further pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.screen.arrangement import Places
from device.screen.drawing.boxes import Box, Colour
from device.screen.drawing.canvas import Canvas
from device.screen.drawing.widgets import button, paragraphs, picture
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
    help: str = ""  # what it does; "": what it is called says it
    below: str = ""  # a second line, in a list
    picture: NDArray[np.uint8] | None = None  # RGB (H, W, 3) at the left, in a list


BACK = Item("back", "Back", "escape")
HELP = Item("help", "Help: all keys", "f1")


def button_row(
    canvas: Canvas, box: Box, px: int, items: Sequence[Item], widths: Sequence[float] = ()
) -> tuple[Control, ...]:
    """Draw a row of buttons."""
    boxes = box.columns(widths or [1] * len(items), max(3, px // 2))
    for item, each in zip(items, boxes, strict=True):
        button(canvas, each, item.label, round(1.2 * px), usable=item.usable, key=item.key)
    return tuple(
        Control(
            item.name,
            each,
            f"{item.label}: {item.help}" if item.help else item.label,
            item.key,
            item.usable,
            item.value,
        )
        for item, each in zip(items, boxes, strict=True)
    )


def button_grid(canvas: Canvas, box: Box, px: int, items: Sequence[Item], columns: int) -> tuple[Control, ...]:
    """Draw buttons in rows of `columns` from the top of `box`, as high as there is room for."""
    gap, count = max(3, px // 2), -(-len(items) // columns)
    box = Box(box.x, box.y, box.width, min(box.height, count * (6 * px + gap) - gap))
    controls = list[Control]()
    for number, row in enumerate(box.rows([1] * count, gap)):
        part = items[number * columns : (number + 1) * columns]
        cells = row.columns([1] * columns, gap)
        for item, cell in zip(part, cells, strict=False):
            controls.extend(button_row(canvas, cell, px, (item,)))
    return tuple(controls)


def list_rows(
    canvas: Canvas, places: Places, box: Box, items: Sequence[Item], first: int, height: float = ROW
) -> tuple[Control, ...]:
    """Draw as many of `items` as there is room for, from number `first` on, and two buttons to go on and back.

    The buttons are called "rows" and their value is the number to begin with; a page keeps it as `first`. `height` of
    a row is in heights of the text.
    """
    px, gap, high = places.text_px, places.gap, round(height * places.text_px)
    fits = max(1, (box.height + gap) // (high + gap))
    if fits < len(items):  # a column at the side, which takes no row
        box, side = box.columns((box.width - 6 * px, 6 * px), gap)
        up, down = side.rows((1, 1), gap)
    controls = list[Control]()
    for number, item in enumerate(items[first : first + fits]):
        row = Box(box.x, box.y + number * (high + gap), box.width, high)
        _draw_row(canvas, row, px, item)
        controls.append(Control(item.name, row, item.help or item.label, item.key, item.usable, item.value))
    if fits < len(items):
        earlier = Item("rows", "▲", "page up", first > 0, max(0, first - fits))
        later = Item("rows", "▼", "page down", first + fits < len(items), first + fits)
        controls += [*button_row(canvas, up, px, (earlier,)), *button_row(canvas, down, px, (later,))]
    return tuple(controls)


def _draw_row(canvas: Canvas, row: Box, px: int, item: Item) -> None:
    theme = canvas.theme
    button(canvas, row, "" if item.below else item.label, px, usable=item.usable, key=item.key, align="left")
    room = row.inset(px // 2, 2)
    if item.picture is not None:
        room, beside = row.inset(2, 2).columns((row.height * 1.4, row.width - row.height * 1.4), px // 2)
        picture(canvas, room, item.picture)
        room = beside
    if item.below:
        above, below = room.rows((1, 1))
        ink, ground = (theme.text, theme.track) if item.usable else (theme.quiet, theme.background)
        canvas.text(item.label, above, round(1.2 * px), ink, ground)
        canvas.text(item.below, below, px, ink, ground)


def panel(canvas: Canvas, box: Box, px: int, heading: str, rows: Sequence[tuple[str, Colour]]) -> None:
    """Draw sentences under a heading, each in its colour and all of one size."""
    canvas.fill(box, canvas.theme.panel)
    room = box.inset(px // 2, px // 4)
    above = Box(room.x, room.y, room.width, round(1.3 * px))
    canvas.text(heading, above, px, canvas.theme.quiet)
    below = Box(room.x, above.y + above.height, room.width, room.height - above.height)
    paragraphs(canvas, below, rows, px)
