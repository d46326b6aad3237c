"""Export of a slide to a USB stick."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from device.screen.arrangement import Places
from device.screen.drawing.boxes import Box
from device.screen.drawing.canvas import Canvas
from device.screen.layout import ScreenState
from device.screen.navigation.page import Control, Notice, Open, Outcome, Page, Perform, Pressed, Stay
from device.screen.navigation.parts import BACK, Item, button_row, list_rows

WRITING = "The slide is being written to the USB stick: leave it in until the screen says that it is done."
NO_DRIVE = "No USB stick is there: plug one in, wait a few seconds, and press Look again."


@dataclass(frozen=True, slots=True)
class ExportPage(Page):
    """The formats in which a slide can be written, and the stick that takes it."""

    slide: Mapping[str, Any]  # its "id", "name", and the "megabytes" of its photographs
    drives: Sequence[Mapping[str, str]]  # "path", and "label" to show
    formats: Sequence[tuple[str, str]]  # name, and what it holds
    drive: int = 0
    first: int = 0

    @property
    def title(self) -> str:
        """Name the slide."""
        return f"Export slide {self.slide['name']}"

    def draw(self, canvas: Canvas, places: Places, live: ScreenState) -> tuple[Control, ...]:
        """Draw the stick and the formats; without a stick, what to do."""
        px, theme, body, gap = places.text_px, canvas.theme, places.body, places.gap
        height = round(3 * px)
        top = Box(body.x, body.y, body.width, height)
        rest = Box(body.x, body.y + height + gap, body.width, body.height - height - gap)
        again = Item("look", "Look again", "l")
        if not self.drives:
            canvas.fill(body, theme.panel)
            canvas.text(NO_DRIVE, body.inset(px, px), round(1.4 * px), theme.warning)
            return button_row(canvas, places.row, px, (BACK, again))
        chosen = (
            f"To the USB stick {self.drives[self.drive]['label']}. The slide's photographs take "
            f"{self.slide['megabytes']:.0f} MB. Choose what to write:"
        )
        canvas.text(chosen, top, round(1.2 * px), theme.text, theme.background)
        rows = [Item("format", f"{name}: {holds}", value=name) for name, holds in self.formats]
        other = Item("drive", "Other stick", "o", len(self.drives) > 1)
        controls = list_rows(canvas, places, rest, rows, self.first)
        return controls + button_row(canvas, places.row, px, (BACK, other, again))

    def press(self, pressed: Pressed, live: ScreenState) -> Outcome:
        """Write the slide, or choose the stick."""
        match pressed:
            case Control("rows", value=first):
                return Stay(replace(self, first=first))
            case Control("drive"):
                return Stay(replace(self, drive=(self.drive + 1) % len(self.drives)))
            case Control("look"):
                return Perform("usb drives", {}, lambda answer: Stay(replace(self, drives=answer["drives"], drive=0)))
            case Control("format", value=name):
                request = {"slide": self.slide["id"], "format": name, "folder": self.drives[self.drive]["path"]}
                return Perform("usb export", request, written, WRITING)
        return Notice()


def written(answer: Mapping[str, Any]) -> Outcome:
    """Say what was written."""
    return Notice(f"{answer['file']} is written. The stick can be pulled out.")


def open_export(slide: Mapping[str, Any]) -> Outcome:
    """Open the page for a slide of which "id" and "name" are known."""

    def opened(answer: Mapping[str, Any]) -> Outcome:
        about = {"id": slide["id"], "name": slide["name"], "megabytes": answer["megabytes"]}
        return Open(ExportPage(about, answer["drives"], answer["formats"]))

    return Perform("usb drives", {"slide": slide["id"]}, opened)
