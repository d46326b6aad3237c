"""The gallery: the cells of a slide that its operator has not classified, and a button for each class."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from device.screen.arrangement import Places
from device.screen.drawing.boxes import Box
from device.screen.drawing.canvas import Canvas
from device.screen.drawing.widgets import picture
from device.screen.layout import ScreenState
from device.screen.navigation.page import Control, Notice, Outcome, Page, Perform, Pressed, Stay
from device.screen.navigation.parts import BACK, Item, button_grid, button_row
from device.screen.pages.cells.cell import open_cell
from device.screen.pages.cells.sign import open_count
from device.screen.pages.typed import as_somebody

LOADED = 12  # cells at a time
_COLUMNS = 4
GONE = "The photograph of this cell was removed."


@dataclass(frozen=True, slots=True, eq=False)
class GalleryPage(Page):
    """Cells to classify, one of them chosen."""

    slide: Mapping[str, Any]  # "id", "name"
    operator: str
    cells: Sequence[Mapping[str, Any]]  # as `cells list` answers, with "picture", RGB or None
    classes: Sequence[tuple[str, str]]  # name and key
    count: Mapping[str, Any] | None = None  # the operator's, as `slides count` answers; None: nothing classified yet
    at: int = 0

    @property
    def title(self) -> str:
        """Say how far the count is."""
        if self.count is None:
            return f"Cells of slide {self.slide['name']}: {self.operator} has classified none."
        done, target = self.count["leukocytes"], self.count["target"]
        return f"Cells of slide {self.slide['name']}: {self.operator} has {done} of {target} leukocytes."

    def draw(self, canvas: Canvas, places: Places, live: ScreenState) -> tuple[Control, ...]:
        """Draw the cells beside the classes, or above them in portrait."""
        px, body, gap = places.text_px, places.body, places.gap
        shown, side = body.along((1, 1), gap)
        controls = self._draw_cells(canvas, shown, px, gap)
        names = [Item("class", name, key, bool(self.cells), name) for name, key in self.classes]
        controls += button_grid(canvas, side, px, names, 2 if len(names) <= 2 * side.height // (4 * px) else 3)
        row = (
            BACK,
            Item("undo", "Take back", "-", self.count is not None),
            Item("skip", "Skip cell", "page down", bool(self.cells)),
            Item("look", "Look closely", "f2", bool(self.cells)),
            Item("count", "Count and sign", "f3", self.count is not None),
        )
        return controls + button_row(canvas, places.row, px, row)

    def _draw_cells(self, canvas: Canvas, area: Box, px: int, gap: int) -> tuple[Control, ...]:
        canvas.fill(area, canvas.theme.panel)
        if not self.cells:
            text = "No cell of this slide waits for you. Count and sign shows your count."
            canvas.text(text, area.inset(px, px), round(1.4 * px), canvas.theme.text)
            return ()
        controls = list[Control]()
        for number, row in enumerate(area.rows([1] * (LOADED // _COLUMNS), gap // 2)):
            for place, column in enumerate(row.columns([1] * _COLUMNS, gap // 2)):
                if (index := number * _COLUMNS + place) < len(self.cells):
                    self._draw_cell(canvas, column, px, index)
                    controls.append(Control("cell", column, value=index, active=index == self.at))
        return tuple(controls)

    def _draw_cell(self, canvas: Canvas, box: Box, px: int, index: int) -> None:
        image, chosen = self.cells[index]["picture"], index == self.at
        if image is None:
            canvas.text(GONE, box.inset(4, 4), px, canvas.theme.quiet)
        else:
            picture(canvas, box.inset(4, 4), image)
        canvas.frame(box, canvas.theme.warning if chosen else canvas.theme.quiet, max(3, px // 4) if chosen else 1)

    def press(self, pressed: Pressed, live: ScreenState) -> Outcome:
        """Classify, choose, take back, or go on to the count."""
        match pressed:
            case Control("cell", value=index) if index == self.at:
                return open_cell(self.cells[self.at]["name"])
            case Control("cell", value=index):
                return Stay(replace(self, at=index))
            case Control("class", value=name):
                request = {"cells": [self.cells[self.at]["name"]], "class": name, "operator": self.operator}
                return Perform("cells classify", request, lambda answer: self._counted(self._next()))
            case Control("undo"):
                request = {"slide": str(self.slide["id"]), "operator": self.operator}
                return Perform("cells undo", request, lambda answer: _loaded(self.slide["id"], self.operator, Stay))
            case Control("skip"):
                return self._next()
            case Control("look"):
                return open_cell(self.cells[self.at]["name"])
            case Control("count"):
                return open_count(self.slide, self.operator)
        return Notice()

    def _next(self) -> Outcome:
        if self.at + 1 < len(self.cells):
            return Stay(replace(self, at=self.at + 1))
        return _loaded(self.slide["id"], self.operator, Stay, self.cells[-1]["name"])

    def _counted(self, following: Outcome) -> Outcome:
        """Count after a cell was classified; a page that is loaded anew brings its count."""
        match following:
            case Stay(page) if isinstance(page, GalleryPage):
                request = {"slide": str(self.slide["id"]), "counter": self.operator}
                return Perform(
                    "slides count", request,
                    lambda answer: Stay(replace(page, count=answer["counts"][self.operator])),
                )  # fmt: skip
        return following


def _loaded(slide: int, operator: str, show: Callable[[Page], Outcome], after: str | None = None) -> Outcome:
    def shown(answer: Mapping[str, Any]) -> Outcome:
        return show(GalleryPage(answer["slide"], operator, answer["cells"], answer["classes"], answer["count"]))

    request = {"slide": slide, "operator": operator, "limit": LOADED, "after": after}
    return Perform("cells with pictures", request, shown)


def open_gallery(slide: int) -> Outcome:
    """Open the gallery of a slide for who is at work."""
    return as_somebody(lambda name, show: _loaded(slide, name, show))
