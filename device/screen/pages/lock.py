"""The locked screen, which shows the live picture and does nothing until the PIN is typed; and choosing a PIN."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from device.screen.arrangement import Places
from device.screen.drawing.boxes import Box
from device.screen.drawing.canvas import Canvas
from device.screen.layout import ScreenState, draw_live, draw_picture
from device.screen.navigation.inputs import Text
from device.screen.navigation.keyboard import FIELD, edited, text_field
from device.screen.navigation.page import Back, Control, Home, Notice, Outcome, Page, Perform, Pressed, Stay
from device.screen.navigation.parts import BACK, Item, button_grid, button_row
from device.screen.navigation.screen_lock import LEAST, MOST

WRONG = "That is not the PIN. Who forgot it runs: smearscope config reset-pin"
NO_PIN = "No PIN is set: choose one under Settings, PIN."


@dataclass(frozen=True, slots=True)
class LockPage(Page):
    """Lets everybody look, and somebody with the PIN go on where the screen was left."""

    takes_text: ClassVar[bool] = True
    locks: ClassVar[bool] = True
    secret: ClassVar[bool] = True
    shows_live: ClassVar[bool] = True

    typed: str | None = None  # None: nobody is typing

    title = ""

    def draw(self, canvas: Canvas, places: Places, live: ScreenState) -> tuple[Control, ...]:
        """Draw the live page with one button; the digits cover what stands beside the picture."""
        draw_live(canvas, places, live)
        item = Item("unlock", "Locked: unlock with the PIN", "return")
        if self.typed is None:
            return button_row(canvas, places.buttons, places.text_px, (item,))
        top, bottom = places.verdict, places.state
        side = Box(top.x, top.y, top.width, bottom.y + bottom.height - top.y)
        canvas.cover(side, canvas.theme.background)
        leave = button_row(canvas, places.buttons, places.text_px, (Item("leave", "Leave it locked", "escape"),))
        return (*_digits(canvas, side, places, self.typed), *leave)

    def redraw(self, canvas: Canvas, places: Places, live: ScreenState) -> bool:
        """Draw the picture alone."""
        draw_picture(canvas, places, live, outlines=True)
        return True

    def press(self, pressed: Pressed, live: ScreenState) -> Outcome:
        """Type, and unlock with the right PIN."""
        match pressed:
            case Control("unlock"):
                return Stay(LockPage(""))
            case Control("leave"):
                return Stay(LockPage())
            case Control("done"):
                return Perform("lock open", {"pin": self.typed}, _tried)
        if self.typed is None and not isinstance(pressed, Text):
            return Notice()
        return Stay(LockPage(_pin(self.typed or "", pressed)))


@dataclass(frozen=True, slots=True)
class PinPage(Page):
    """Asks for a new PIN twice, or takes the old one away."""

    takes_text: ClassVar[bool] = True
    secret: ClassVar[bool] = True

    typed: str = ""
    first: str = ""  # what was typed the first time

    @property
    def title(self) -> str:
        """Ask."""
        return "The same PIN again" if self.first else f"A new PIN for this screen, {LEAST} to {MOST} digits"

    def draw(self, canvas: Canvas, places: Places, live: ScreenState) -> tuple[Control, ...]:
        """Draw the digits."""
        row = (BACK, Item("none", "No PIN", "f2"))
        digits = _digits(canvas, places.body, places, self.typed)
        return (*digits, *button_row(canvas, places.row, places.text_px, row))

    def press(self, pressed: Pressed, live: ScreenState) -> Outcome:
        """Type; the second time has to be as the first."""
        match pressed:
            case Control("none"):
                return Perform("screen choose", {"pin": ""}, lambda answer: Home(notice="The screen has no PIN."))
            case Control("done") if not self.first:
                return Stay(PinPage(first=self.typed))
            case Control("done") if self.typed != self.first:
                return Stay(PinPage(), "These were two different PINs. Type it twice.")
            case Control("done"):
                return Perform("screen choose", {"pin": self.typed}, lambda answer: Home(notice="The PIN is set."))
        return Stay(replace(self, typed=_pin(self.typed, pressed)))


def _digits(canvas: Canvas, area: Box, places: Places, typed: str) -> tuple[Control, ...]:
    """Draw what was typed as dots, and the keys of a telephone below."""
    px, height = places.text_px, round(FIELD * places.text_px)
    text_field(canvas, Box(area.x, area.y, area.width, height), px, "PIN", "•" * len(typed), active=True)
    used = height + places.gap
    keys = [Item("key", each, value=each) for each in "123456789"]
    keys += [
        Item("backspace", "Delete"),
        Item("key", "0", value="0"),
        Item("done", "OK", "return", len(typed) >= LEAST),
    ]
    return button_grid(canvas, Box(area.x, area.y + used, area.width, area.height - used), px, keys, 3)


def _pin(typed: str, pressed: Pressed) -> str:
    return "".join(each for each in edited(typed, pressed) if each in "0123456789")[:MOST]


def _tried(answer: Mapping[str, Any]) -> Outcome:
    return Back("The screen is unlocked.") if answer["right"] else Stay(LockPage(""), WRONG)


def open_lock() -> Outcome:
    """Lock the screen, if it can be unlocked again."""
    return Perform("lock state", {}, lambda answer: Home(LockPage()) if answer["set"] else Notice(NO_PIN))
