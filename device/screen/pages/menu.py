"""The menu: every page that can be opened, as large buttons."""

from collections.abc import Callable
from dataclasses import dataclass

from device.screen.arrangement import Places
from device.screen.drawing.canvas import Canvas
from device.screen.layout import ScreenState
from device.screen.navigation.page import Control, Notice, Outcome, Page, Pressed
from device.screen.navigation.parts import BACK, HELP, Item, button_grid, button_row
from device.screen.pages.cells.review import open_review
from device.screen.pages.history import open_history
from device.screen.pages.lock import open_lock
from device.screen.pages.shutdown import open_shutdown
from device.screen.pages.slide import open_slide
from device.screen.pages.upkeep.browser import open_browser
from device.screen.pages.upkeep.calibration import open_calibration
from device.screen.pages.upkeep.objective import open_objectives
from device.screen.pages.upkeep.quality_control import open_quality_control
from device.screen.pages.upkeep.screen_settings import open_settings

_COLUMNS = 3

ENTRIES: tuple[tuple[Item, Callable[[ScreenState], Outcome]], ...] = (
    (Item("slide", "Slide", "s"), open_slide),
    (Item("history", "Slides so far", "l"), lambda live: open_history()),
    (Item("cells", "Cells", "c"), lambda live: open_history("cells")),
    (Item("review", "Review", "r"), lambda live: open_review()),
    (Item("export", "Export to USB", "u"), lambda live: open_history("export")),
    (Item("calibrate", "Calibrate", "b"), lambda live: open_calibration()),
    (Item("objective", "Objective", "o"), lambda live: open_objectives()),
    (Item("qc", "Quality control", "q"), lambda live: open_quality_control()),
    (Item("settings", "Settings", "g"), lambda live: open_settings()),
    (Item("browser", "Web pages", "w"), lambda live: open_browser()),
    (Item("lock", "Lock", "k"), lambda live: open_lock()),
    (Item("shutdown", "Shut down", "d"), lambda live: open_shutdown()),
)
"""Each page with what opens it."""


@dataclass(frozen=True, slots=True)
class MenuPage(Page):
    """All pages."""

    title = "Menu"

    def draw(self, canvas: Canvas, places: Places, live: ScreenState) -> tuple[Control, ...]:
        """Draw a button for each page."""
        columns = _COLUMNS if places.body.wide else _COLUMNS - 1
        entries = button_grid(canvas, places.body, places.text_px, [item for item, _ in ENTRIES], columns)
        return entries + button_row(canvas, places.row, places.text_px, (BACK, HELP))

    def press(self, pressed: Pressed, live: ScreenState) -> Outcome:
        """Open a page."""
        name = pressed.name if isinstance(pressed, Control) else ""
        return next((opened(live) for item, opened in ENTRIES if item.name == name), Notice())
