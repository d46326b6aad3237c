"""The slides so far, newest first, each with a photograph of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from device.screen.arrangement import Places
from device.screen.drawing.canvas import Canvas
from device.screen.drawing.text import plural
from device.screen.layout import ScreenState
from device.screen.navigation.page import Control, Notice, Open, Outcome, Page, Perform, Pressed, Stay
from device.screen.navigation.parts import BACK, Item, button_row, list_rows
from device.screen.pages.cells.gallery import open_gallery
from device.screen.pages.export import open_export
from device.screen.pages.summary import open_summary
from smear.classes import by_name

_STATES = {"open": "not counted", "counted": "count complete", "signed": "signed"}
Purpose = Literal["show", "export", "cells"]
_TITLES: dict[Purpose, str] = {
    "show": "Slides, newest first",
    "export": "Choose the slide to export",
    "cells": "Choose the slide whose cells you classify",
}
_OPENED: dict[Purpose, Callable[[Mapping[str, Any]], Outcome]] = {
    "show": lambda slide: open_summary(slide["id"]),
    "export": open_export,
    "cells": lambda slide: open_gallery(slide["id"]),
}
LOADED = 24  # slides at a time: a photograph of each is read


@dataclass(frozen=True, slots=True, eq=False)
class HistoryPage(Page):
    """Slides to choose from."""

    slides: Sequence[Mapping[str, Any]]  # as `slides list` answers, with "when" as text and a "picture" or None
    purpose: Purpose = "show"  # what is done with the slide that is chosen
    first: int = 0

    @property
    def title(self) -> str:
        """Say what choosing does."""
        return _TITLES[self.purpose]

    def draw(self, canvas: Canvas, places: Places, live: ScreenState) -> tuple[Control, ...]:
        """Draw a row for each slide."""
        px, rows = places.text_px, [_row(slide) for slide in self.slides]
        older = Item("older", "Older slides", "o", len(rows) == LOADED)
        if not rows:
            canvas.fill(places.body, canvas.theme.panel)
            said = "No slide is recorded yet. Press Slide on the live page to start one."
            canvas.text(said, places.body.inset(px, px), round(1.4 * px), canvas.theme.text)
            return button_row(canvas, places.row, px, (BACK, older))
        controls = list_rows(canvas, places, places.body, rows, self.first, height=4.4)
        return controls + button_row(canvas, places.row, px, (BACK, older))

    def press(self, pressed: Pressed, live: ScreenState) -> Outcome:
        """Open a slide, or go through the list."""
        match pressed:
            case Control("rows", value=first):
                return Stay(replace(self, first=first))
            case Control("older"):
                return _loaded(lambda slides: Open(replace(self, slides=slides, first=0)), self.slides[-1]["id"])
            case Control("slide", value=slide):
                return _OPENED[self.purpose](slide)
        return Notice()


def _row(slide: Mapping[str, Any]) -> Item:
    work = "being recorded" if slide["ended_s"] is None else _STATES[slide["state"]]
    labelled = plural(slide["fields_accepted"], "{n} field with a label", "{n} fields with a label")
    leading = by_name(slide["leading"]).title if slide["leading"] else "no class named"
    below = f"{slide['when']} · {labelled} · {leading} · {work}"
    return Item("slide", slide["name"], value=slide, below=below, picture=slide["picture"])


def open_history(purpose: Purpose = "show") -> Outcome:
    """Open the list of slides."""
    return _loaded(lambda slides: Open(HistoryPage(slides, purpose)))


def _loaded(then: Callable[[Sequence[Mapping[str, Any]]], Outcome], before: int | None = None) -> Outcome:
    request = {"limit": LOADED} | ({} if before is None else {"before": before})
    return Perform("slides with pictures", request, lambda answer: then(answer["slides"]))
