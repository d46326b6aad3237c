"""The question before something that matters."""

from dataclasses import dataclass

from device.screen.arrangement import Places
from device.screen.drawing.canvas import Canvas
from device.screen.layout import ScreenState
from device.screen.navigation.page import Control, Notice, Outcome, Page, Pressed
from device.screen.navigation.parts import Item, button_row


@dataclass(frozen=True, slots=True)
class ConfirmPage(Page):
    """Asks, and does it only when a person says so."""

    question: str  # a short sentence
    consequence: str  # what will be so afterwards
    yes: str  # what stands on the button, such as "End slide"
    outcome: Outcome

    @property
    def title(self) -> str:
        """Ask."""
        return self.question

    def draw(self, canvas: Canvas, places: Places, live: ScreenState) -> tuple[Control, ...]:
        """Draw the consequence, and the two answers."""
        canvas.fill(places.body, canvas.theme.panel)
        room, px = places.body.inset(places.text_px, places.text_px), places.text_px
        canvas.text(self.consequence, room, round(1.4 * px), canvas.theme.text)
        return button_row(canvas, places.row, px, (Item("back", "No, go back", "escape"), Item("yes", self.yes, "y")))

    def press(self, pressed: Pressed, live: ScreenState) -> Outcome:
        """Do it, or go back."""
        match pressed:
            case Control("yes"):
                return self.outcome
        return Notice()
