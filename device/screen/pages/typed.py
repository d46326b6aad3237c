"""A page that asks for one text: who is at work, or a reason."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from device.screen.arrangement import Places
from device.screen.drawing.canvas import Canvas
from device.screen.layout import ScreenState
from device.screen.navigation.inputs import Key
from device.screen.navigation.keyboard import above_keyboard, edited, keyboard, text_field
from device.screen.navigation.page import Control, Home, Notice, Open, Outcome, Page, Perform, Pressed, Stay
from device.screen.navigation.parts import BACK, Item, button_row


@dataclass(frozen=True, slots=True)
class TypedPage(Page):
    """Asks, and goes on with what was typed."""

    takes_text: ClassVar[bool] = True

    question: str  # a short sentence
    label: str  # of the field
    then: Callable[[str], Outcome]
    typed: str = ""
    capitals: bool = True

    @property
    def title(self) -> str:
        """Ask."""
        return self.question

    def draw(self, canvas: Canvas, places: Places, live: ScreenState) -> tuple[Control, ...]:
        """Draw the field and the keyboard."""
        px, (top, below) = places.text_px, above_keyboard(places)
        text_field(canvas, top, px, self.label, self.typed, active=True)
        done = Item("done", "Go on", "return", bool(self.typed.strip()))
        return (*button_row(canvas, places.row, px, (BACK, done)), *keyboard(canvas, below, px, self.capitals))

    def press(self, pressed: Pressed, live: ScreenState) -> Outcome:
        """Type, or go on."""
        match pressed:
            case Control("shift"):
                return Stay(replace(self, capitals=not self.capitals))
            case Control("done"):
                return self.then(self.typed.strip())
            case Key("return"):
                return Notice("Type something first.")
        return Stay(replace(self, typed=edited(self.typed, pressed)))


def as_somebody(then: Callable[[str, Callable[[Page], Outcome]], Outcome]) -> Outcome:
    """Go on with the name of who is at work, and with how the next page is shown; where nobody said a name, ask."""

    def known(answer: Mapping[str, Any]) -> Outcome:
        name = str(answer.get("operator", ""))
        return then(name, Open) if name else Open(TypedPage("Who is at work?", "Operator", told))

    def told(name: str) -> Outcome:
        return Perform("operator is", {"operator": name}, lambda answer: then(name, Home))

    return Perform("slide details", {}, known)
