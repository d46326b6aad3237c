"""The live page: the field under the objective, what is concluded of it, and the buttons that act on it."""

from dataclasses import dataclass
from typing import ClassVar

from device.screen.arrangement import Places
from device.screen.drawing.canvas import Canvas
from device.screen.drawing.text import measure
from device.screen.layout import ScreenState, draw_live, draw_picture
from device.screen.navigation.page import Control, Notice, Open, Outcome, Page, Perform, Pressed, Stay
from device.screen.navigation.parts import HELP, Item, button_row
from device.screen.pages.menu import MenuPage
from device.screen.pages.slide import open_slide

FROZEN = "Frozen: this picture stands still while the device goes on. Mark puts this field into the review queue."

MARKED = "The field waits for review."
KEPT = "The field is kept, and never removed to make room."


@dataclass(frozen=True, slots=True)
class LivePage(Page):
    """What is shown unless a person opened another page."""

    shows_live: ClassVar[bool] = True

    outlines: bool = True
    freezing: bool = False  # the next result stays
    held: ScreenState | None = None  # what stays on the screen; None: it is live

    title = ""

    def draw(self, canvas: Canvas, places: Places, live: ScreenState) -> tuple[Control, ...]:
        """Draw the live or the frozen state."""
        draw_live(canvas, places, self.held or live, outlines=self.outlines)
        if self.held is not None:
            canvas.cover(places.notices, canvas.theme.background)
            canvas.text(FROZEN, places.notices, places.text_px, canvas.theme.warning, canvas.theme.background)
        items, px = self._buttons(live), places.text_px
        widths = [measure(canvas.translated(each.label), px) + 2 * px for each in items]
        about = button_row(canvas, places.about, px, (Item(HELP.name, "?", HELP.key, help=HELP.label),))
        return (*button_row(canvas, places.buttons, px, items, widths), *about)

    def redraw(self, canvas: Canvas, places: Places, live: ScreenState) -> bool:
        """Draw the picture alone; a frozen one stays."""
        if self.held is None:
            draw_picture(canvas, places, live, self.outlines)
        return True

    def _buttons(self, live: ScreenState) -> tuple[Item, ...]:
        shown, frozen = self.held or live, self.held is not None
        recorded = shown.field_id is not None and not shown.moved_on
        return (
            Item("menu", "Menu", "m", help="all other pages"),
            Item("mark", "Mark", "a", recorded, help="put this field into the review queue")
            if frozen
            else Item("slide", "Slide", "s", help="start or end a slide"),
            Item("freeze", "Go on", "g", help="show the live picture again")
            if frozen
            else Item("freeze", "Freeze", "f", live.frame is not None, help="hold this picture still"),
            Item("keep", "Keep", "k", recorded, help="never remove this photograph"),
            Item("outlines", "Outlines", "o", help="show or hide the outlines"),
        )

    def press(self, pressed: Pressed, live: ScreenState) -> Outcome:
        """Act on the field, or open another page."""
        match pressed:
            case Control("menu"):
                return Open(MenuPage())
            case Control("slide"):
                return open_slide(live)
            case Control("freeze"):
                return Stay(LivePage(self.outlines, freezing=self.held is None))
            case Control("outlines"):
                shown = "outlines are hidden" if self.outlines else "outlines are shown"
                return Stay(LivePage(not self.outlines, self.freezing, self.held), shown)
            case Control("keep"):
                return Perform("field keep", self._field(live), lambda answer: Notice(KEPT))
            case Control("mark"):
                request = {**self._field(live), "ask": True}
                return Perform("slides review", request, lambda answer: Notice(MARKED))
        return Notice()

    def _field(self, live: ScreenState) -> dict[str, int | None]:
        return {"field": (self.held or live).field_id}

    def fed(self, live: ScreenState) -> Page:
        """Keep this result if the picture is to stand still."""
        return LivePage(self.outlines, held=live) if self.freezing and live.frame is not None else self
