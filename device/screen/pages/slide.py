"""The open slide: how far it is, and how it ends."""

from dataclasses import dataclass

from device.screen.arrangement import Places
from device.screen.drawing.canvas import Canvas
from device.screen.drawing.widgets import paragraphs
from device.screen.layout import ScreenState
from device.screen.navigation.page import Control, Notice, Open, Outcome, Page, Perform, Pressed
from device.screen.navigation.parts import BACK, Item, button_row
from device.screen.pages.confirm import ConfirmPage
from device.screen.pages.new_slide import new_slide
from device.screen.pages.summary import open_summary
from device.store.slide_summary import MIN_FIELDS


@dataclass(frozen=True, slots=True)
class OpenSlidePage(Page):
    """What is known of the open slide, and how it ends."""

    title = "Slide"

    def draw(self, canvas: Canvas, places: Places, live: ScreenState) -> tuple[Control, ...]:
        """Draw the counts so far."""
        px, theme = places.text_px, canvas.theme
        canvas.fill(places.body, theme.panel)
        rows = [
            (f"Slide {live.slide} is open.", theme.text),
            (f"Fields with a label: {live.accepted}; refused: {live.refused}.", theme.text),
            (f"A class is named only from {MIN_FIELDS} fields with a label on.", theme.quiet),
            ("Every new field is recorded until the slide is ended.", theme.quiet),
        ]
        paragraphs(canvas, places.body.inset(px, px), rows, round(1.3 * px))
        items = (BACK, Item("end", "End slide", "e", live.slide is not None), Item("new", "End, and next slide", "n"))
        return button_row(canvas, places.row, px, items)

    def press(self, pressed: Pressed, live: ScreenState) -> Outcome:
        """End the slide, or name the next one."""
        match pressed:
            case Control("end"):
                return Open(asked_to_end(live))
            case Control("new"):
                return new_slide()
        return Notice()


def asked_to_end(live: ScreenState) -> Page:
    """Return the question before a slide is ended."""
    return ConfirmPage(
        f"End slide {live.slide}?",
        f"Fields with a label: {live.accepted}; refused: {live.refused}. Fields are shown, but not recorded, until the "
        "next slide is started. You can undo this.",
        "End slide",
        Perform("slide end", {}, lambda answer: open_summary(answer["slide"], ended_now=True)),
    )


def open_slide(live: ScreenState) -> Outcome:
    """Open the page of the open slide, or the one that names a slide."""
    return Open(OpenSlidePage()) if live.slide is not None else new_slide()
