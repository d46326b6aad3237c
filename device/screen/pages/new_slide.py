"""A new slide: named by keys, by touch or by a barcode scanner."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from device.screen.arrangement import Places
from device.screen.drawing.canvas import Canvas
from device.screen.layout import ScreenState
from device.screen.navigation.inputs import Key
from device.screen.navigation.keyboard import above_keyboard, edited, keyboard, text_field
from device.screen.navigation.page import Control, Home, Notice, Open, Outcome, Page, Perform, Pressed, Stay
from device.screen.navigation.parts import BACK, Item, button_row

FIELDS = {
    "name": ("Slide", "the number on the glass"),
    "operator": ("Operator", "who is at work"),
    "specimen": ("Specimen", "blood, marrow"),
}
"""What is typed: its label, and what it may be."""


@dataclass(frozen=True, slots=True)
class NewSlidePage(Page):
    """Asks for the name of a slide, and for what else is known of it."""

    takes_text: ClassVar[bool] = True

    typed: Mapping[str, str]  # by the names of FIELDS
    at: str = "name"  # the field that takes what is typed
    capitals: bool = True

    title = "New slide: type or scan its number, no patient's name"

    def draw(self, canvas: Canvas, places: Places, live: ScreenState) -> tuple[Control, ...]:
        """Draw the fields and the keyboard."""
        px, (top, below), controls = places.text_px, above_keyboard(places), list[Control]()
        for (name, (label, hint)), box in zip(FIELDS.items(), top.columns((4, 3, 3), places.gap), strict=True):
            text_field(canvas, box, px, label, self.typed[name], hint, active=name == self.at)
            controls.append(Control("field", box, label, value=name, field=True, active=name == self.at))
        start = Item("start", "Start slide", "return", bool(self.typed["name"].strip()))
        controls += button_row(canvas, places.row, px, (BACK, start))
        return (*controls, *keyboard(canvas, below, px, self.capitals))

    def press(self, pressed: Pressed, live: ScreenState) -> Outcome:
        """Type, choose a field, or start the slide."""
        match pressed:
            case Control("field", value=name):
                return Stay(replace(self, at=name))
            case Control("shift"):
                return Stay(replace(self, capitals=not self.capitals))
            case Control("start"):
                started = f"Slide {self.typed['name'].strip()} is started."
                return Perform("slide start", self.typed, lambda answer: Home(notice=started))
            case Key("return"):
                return Notice("Give the slide a name first.")
        text = edited(self.typed[self.at], pressed)
        return Stay(replace(self, typed={**self.typed, self.at: text}))


def new_slide(name: str = "") -> Outcome:
    """Open the page that names a slide, with what was typed for the one before; with a `name` that was scanned."""

    def opened(answer: Mapping[str, Any]) -> Outcome:
        page = NewSlidePage({each: str(answer.get(each, "")) for each in FIELDS} | {"name": name})
        return Home(page, "Press Return or Start slide; a slide that is open is ended then.") if name else Open(page)

    return Perform("slide details", {}, opened)
