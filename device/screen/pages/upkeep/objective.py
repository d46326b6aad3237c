"""Which objective is in the light path: its own calibration is used from the next field on."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from device.screen.arrangement import Places
from device.screen.drawing.canvas import Canvas
from device.screen.layout import ScreenState
from device.screen.navigation.page import Control, Home, Notice, Open, Outcome, Page, Perform, Pressed, Stay
from device.screen.navigation.parts import BACK, HELP, Item, button_row, list_rows
from device.screen.pages.typed import TypedPage


@dataclass(frozen=True, slots=True, eq=False)
class ObjectivePage(Page):
    """The objectives that have a calibration, and the one in use."""

    title = "Which objective is in the light path?"

    known: Mapping[str, Any]  # as "objectives" answers
    first: int = 0

    def draw(self, canvas: Canvas, places: Places, live: ScreenState) -> tuple[Control, ...]:
        """Draw a row for each."""
        rows = [
            Item("use", each, value=each, below="in use" if each == self.known["in use"] else "calibrated before")
            for each in self.known["names"]
        ]
        controls = list_rows(canvas, places, places.body, rows, self.first, height=4.4)
        return controls + button_row(
            canvas, places.row, places.text_px, (BACK, Item("other", "Another one", "o"), HELP)
        )

    def press(self, pressed: Pressed, live: ScreenState) -> Outcome:
        """Use one, or ask for the name of another."""
        match pressed:
            case Control("rows", value=first):
                return Stay(replace(self, first=first))
            case Control("use", value=name):
                return _use(str(name))
            case Control("other"):
                return Open(TypedPage("What is the objective called?", "Objective, such as 40x", _use))
        return Notice()


def _use(name: str) -> Outcome:
    def used(answer: Mapping[str, Any]) -> Outcome:
        if answer["in use"] is None:
            return Home(notice=f"Objective {name} is in use. It has no calibration yet: Menu, Calibrate.")
        return Home(notice=f"Objective {name} is in use, with its own calibration.")

    return Perform("calibrate", {"kind": "use", "objective": name}, used)


def open_objectives() -> Outcome:
    """Open the list of objectives."""
    return Perform("objectives", {}, lambda answer: Open(ObjectivePage(answer)))
