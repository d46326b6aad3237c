"""One picture of the screen, as a pure function of the page, the live state, the screen's size, theme and density."""

from dataclasses import dataclass

from device.quality_control.measurements import NOT_CLEARED_TODAY
from device.screen.arrangement import SIZE, Places, arrange
from device.screen.drawing.boxes import Box
from device.screen.drawing.canvas import Canvas
from device.screen.drawing.themes import DARK, Theme
from device.screen.drawing.translation import ENGLISH
from device.screen.layout import ScreenState
from device.screen.navigation.page import Control, Page
from smear import RESEARCH_USE_ONLY
from smear.classes import by_name


@dataclass(frozen=True, slots=True)
class Overlay:
    """What lies over a page: the control that a key would press, and what is said of what was just done."""

    focus: int | None = None  # number of the control
    notice: str = ""
    busy: bool = False  # the notice is of an action that goes on: nothing can be pressed meanwhile


@dataclass(frozen=True, slots=True)
class Composed:
    """A picture with the controls that are on it."""

    canvas: Canvas
    controls: tuple[Control, ...]


def compose(
    page: Page,
    live: ScreenState,
    size: tuple[int, int] = SIZE,
    theme: Theme = DARK,
    dots_per_inch: float | None = None,
    overlay: Overlay = Overlay(),
    language: str = ENGLISH,
) -> Composed:
    """Return the screen as RGB uint8 (height, width, 3) of `size` (width, height), with its controls."""
    places, canvas = arrange(size, dots_per_inch), Canvas(size, theme, language)
    _draw_header(canvas, places, live)
    if page.title and not overlay.notice:
        _draw_title(canvas, places, page.title, live)
    controls = page.draw(canvas, places, live)
    if overlay.focus is not None and overlay.focus < len(controls):
        canvas.frame(controls[overlay.focus].box, theme.warning, max(3, places.text_px // 4))
    if overlay.notice:
        over = _draw_notice(canvas, places, overlay, over_live=not page.title)
        controls = tuple(each for each in controls if not over.holds(each.box.x, each.box.y))
    canvas.fill(places.footer, theme.panel)
    canvas.text(RESEARCH_USE_ONLY, places.footer.inset(4, 0), places.text_px, theme.text, align="centre")
    return Composed(canvas, controls)


def _draw_header(canvas: Canvas, places: Places, live: ScreenState) -> None:
    theme, px = canvas.theme, places.text_px
    canvas.fill(places.header, theme.panel)
    name, simulated, cleared, rate = places.header.inset(px // 2, 1).columns((9, 15, 14, 8), px // 2)
    canvas.text("Smearscope", name, round(1.25 * px), theme.text)
    if live.simulated:
        canvas.fill(simulated, theme.warning)
        canvas.text("SIMULATED MICROSCOPE", simulated.inset(4, 0), px, theme.panel, theme.warning, align="centre")
    if live.not_cleared:
        canvas.text(NOT_CLEARED_TODAY.upper(), cleared, px, theme.warning, align="centre")
    if live.fields_per_s:
        canvas.text(f"{live.fields_per_s:.1f} fields/s", rate, px, theme.text, align="right")


def _draw_title(canvas: Canvas, places: Places, title: str, live: ScreenState) -> None:
    """Show the page's name, and in a corner what the device sees meanwhile."""
    theme, px = canvas.theme, places.text_px
    name, seen = places.title.columns((2, 1), px)
    canvas.text(title, name, round(1.4 * px), theme.text, theme.background)
    canvas.text(_seen(live), seen, px, theme.quiet, theme.background, align="right")


def _seen(live: ScreenState) -> str:
    if live.frame is None:
        return "live: no picture"
    if live.finding is None:
        return "live: not examined yet"
    if live.finding.label is not None:
        return f"live: {by_name(live.finding.label).title}"
    return "live: refused" if live.finding.refusals else "live: no white cell"


def _draw_notice(canvas: Canvas, places: Places, overlay: Overlay, over_live: bool) -> Box:
    theme, px = canvas.theme, round(1.4 * places.text_px)
    left, about = places.notices, places.about
    box = Box(left.x, left.y, about.x + about.width - left.x, left.height) if over_live else places.title
    ground = theme.quiet if overlay.busy else theme.text
    canvas.cover(box, ground)
    canvas.text(overlay.notice, box.inset(px // 2, 2), px, theme.panel, ground, align="centre")
    return box
