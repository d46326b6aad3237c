"""One cell: its picture, to zoom and move in, with its measures and what people called it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import pi, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.screen.arrangement import Places
from device.screen.drawing.boxes import Colour
from device.screen.drawing.canvas import Canvas
from device.screen.drawing.widgets import paragraphs, picture
from device.screen.layout import ScreenState
from device.screen.navigation.page import Control, Notice, Open, Outcome, Page, Perform, Pressed, Stay
from device.screen.navigation.parts import BACK, Item, button_row
from smear.classes import by_name

MOST_ZOOM = 8
_STEP = 0.25  # of what is seen, by which it is moved
_WAYS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}


@dataclass(frozen=True, slots=True, eq=False)
class CellPage(Page):
    """A cell, seen closely."""

    cell: Mapping[str, Any]  # as `cells show` answers, with "picture", RGB or None
    zoom: int = 1
    centre: tuple[float, float] = (0.5, 0.5)  # x, y of what is seen, in shares of the picture

    @property
    def title(self) -> str:
        """Name the cell."""
        return f"Cell {self.cell['name']}"

    def draw(self, canvas: Canvas, places: Places, live: ScreenState) -> tuple[Control, ...]:
        """Draw the picture and the facts."""
        px, body = places.text_px, places.body
        shown, side = body.along((3, 2), places.gap)
        canvas.fill(shown, canvas.theme.track)
        canvas.fill(side, canvas.theme.panel)
        if self.cell["picture"] is None:
            gone = "The photograph of this cell was removed, to make room or by its age."
            canvas.text(gone, shown.inset(px, px), round(1.3 * px), canvas.theme.text, canvas.theme.track)
        else:
            picture(canvas, shown, self._seen(self.cell["picture"]))
        paragraphs(canvas, side.inset(px // 2, px // 2), self._facts(canvas.theme.text, canvas.theme.quiet), px)
        there, further = self.cell["picture"] is not None, self.zoom > 1
        items = (
            BACK,
            Item("zoom", "+", "+", there and self.zoom < MOST_ZOOM, min(MOST_ZOOM, self.zoom * 2)),
            Item("zoom", "−", "-", there and further, max(1, self.zoom // 2)),
            *(Item("move", sign, key, there and further, way)
              for sign, key, way in (("◀", "a", "left"), ("▲", "w", "up"), ("▼", "s", "down"), ("▶", "d", "right"))),
        )  # fmt: skip
        return button_row(canvas, places.row, px, items, (2, 1, 1, 1, 1, 1, 1))

    def _seen(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        height, width = image.shape[:2]
        high, wide = max(1, height // self.zoom), max(1, width // self.zoom)
        x, y = (round(centre * whole - part / 2)
                for centre, whole, part in zip(self.centre, (width, height), (wide, high), strict=True))  # fmt: skip
        x, y = min(max(0, x), width - wide), min(max(0, y), height - high)
        return image[y : y + high, x : x + wide]

    def _facts(self, ink: Colour, quiet: Colour) -> list[tuple[str, Colour]]:
        cell = self.cell
        facts = []
        if cell["area_um2"] is not None:
            facts += [(f"Area {cell['area_um2']:.0f} µm²", ink),
                      (f"Diameter of a disc of that area {2 * sqrt(cell['area_um2'] / pi):.1f} µm", ink)]  # fmt: skip
        else:
            facts.append((f"Area {cell['area_px']:.0f} pixels; the scale is not known", ink))
        facts += [
            (f"Nucleus {cell['nc_ratio']:.0%} of the cell", ink),
            (f"Circularity {cell['circularity']:.2f} (a disc has 1)", ink),
        ]
        if cell["touches_edge"]:
            facts.append(("The edge of the field cuts it: its measures are too small.", ink))
        if cell["opinion"]:
            title = by_name(cell["opinion"]).title
            facts.append((f"The network alone would say {title}; that is no result for a single cell.", quiet))
        facts += [(f"{who} called it {what}.", ink) for who, what in cell["said"].items()]
        return facts if cell["said"] else [*facts, ("Nobody has classified it yet.", quiet)]

    def press(self, pressed: Pressed, live: ScreenState) -> Outcome:
        """Zoom, move, or go back."""
        match pressed:
            case Control("zoom", value=zoom):
                return Stay(replace(self, zoom=zoom, centre=self.centre if zoom > 1 else (0.5, 0.5)))
            case Control("move", value=way):
                x, y = (min(1.0, max(0.0, at + step * _STEP / self.zoom))
                        for at, step in zip(self.centre, _WAYS[way], strict=True))  # fmt: skip
                return Stay(replace(self, centre=(x, y)))
        return Notice()


def open_cell(name: str) -> Outcome:
    """Open the page of the cell called `name`, as 12.3."""
    return Perform("cell with picture", {"cell": name}, lambda answer: Open(CellPage(answer)))
