"""Where the pages in a browser are, and how a browser recognises this device."""

from collections.abc import Mapping
from dataclasses import dataclass

from device.screen.arrangement import Places
from device.screen.drawing.canvas import Canvas
from device.screen.layout import ScreenState
from device.screen.navigation.page import Control, Notice, Open, Outcome, Page, Perform, Pressed
from device.screen.navigation.parts import BACK, button_row, panel

OFF = "The pages have not said where they are since this device started; to turn them on: sudo smearscope web enable"


@dataclass(frozen=True, slots=True, eq=False)
class BrowserPage(Page):
    """Address and fingerprint, and the first password until somebody has logged in."""

    title = "Look at it in a browser"

    web: Mapping[str, str]  # as the pages' server said it

    def draw(self, canvas: Canvas, places: Places, live: ScreenState) -> tuple[Control, ...]:
        """Draw what is known."""
        web, ink, address = self.web, canvas.theme.text, self.web.get("address")
        rows = [(f"Open {address}" if address else OFF, ink)]
        if fingerprint := web.get("fingerprint"):
            parts = " ".join(fingerprint[at : at + 23] for at in range(0, len(fingerprint), 24))  # eight bytes each
            rows.append((f"The certificate that it warns of must have the SHA-256 {parts}", ink))
        if password := web.get("password"):
            rows.append((f"The first login: admin, with the password {password}", canvas.theme.warning))
        panel(canvas, places.body, places.text_px, "Web pages", rows)
        return button_row(canvas, places.row, places.text_px, (BACK,))

    def press(self, pressed: Pressed, live: ScreenState) -> Outcome:
        """Do nothing: there is only the way back."""
        return Notice()


def open_browser() -> Outcome:
    """Open the page."""
    return Perform("web shown", {}, lambda web: Open(BrowserPage(web)))
