"""The help: every key that does something on the page from which it was opened."""

from dataclasses import dataclass, replace

from device.screen.arrangement import Places
from device.screen.drawing.canvas import Canvas
from device.screen.layout import ScreenState
from device.screen.navigation.page import Control, Notice, Outcome, Page, Pressed, Stay
from device.screen.navigation.parts import BACK, Item, button_row

EVERYWHERE = (
    ("Tab, arrows", "choose a button"),
    ("Return", "press the chosen button"),
    ("Escape", "back to the page before"),
    ("F1 or ?", "this help"),
    ("F11", "full screen and back"),
    ("Ctrl-Q", "end the program"),
)


@dataclass(frozen=True, slots=True)
class HelpPage(Page):
    """The keys of one page and those of every page."""

    of: str  # the title of the page that it explains
    keys: tuple[tuple[str, str], ...]  # key, and what it does
    first: int = 0

    @property
    def title(self) -> str:
        """Name the page that is explained."""
        return f"Help: {self.of or 'live picture'}"

    def draw(self, canvas: Canvas, places: Places, live: ScreenState) -> tuple[Control, ...]:
        """Draw as many keys as there is room for."""
        px, theme, every = places.text_px, canvas.theme, (*self.keys, *EVERYWHERE)
        canvas.fill(places.body, theme.panel)
        room = places.body.inset(px // 2, px // 4)
        height = round(1.7 * px)
        fits = room.height // height
        columns = 2 if room.width >= 44 * px and fits < len(every) else 1
        for column, box in enumerate(room.columns([1] * columns, px)):
            begin = self.first + column * fits
            for number, (key, does) in enumerate(every[begin : begin + fits]):
                row = type(box)(box.x, box.y + number * height, box.width, height)
                name, text = row.columns((6.5, box.width / px - 6.5), px // 2)
                canvas.text(key, name, px, theme.warning)
                canvas.text(does, text, px, theme.text)
        after = self.first + columns * fits
        more = after < len(every)
        items = (BACK, Item("more", "More", "page down", more or self.first > 0, after if more else 0))
        return button_row(canvas, places.row, px, items)

    def press(self, pressed: Pressed, live: ScreenState) -> Outcome:
        """Go on, or back."""
        match pressed:
            case Control("more", value=first):
                return Stay(replace(self, first=first))
        return Notice()


def help_of(page: Page, controls: tuple[Control, ...]) -> HelpPage:
    """Return the help for `page` with its `controls`."""
    keys = [(key_name(each.key), each.help) for each in controls if each.key and each.help]
    return HelpPage(page.title, tuple(dict.fromkeys(pair for pair in keys if pair[0] not in {"Escape", "F1"})))


def key_name(key: str) -> str:
    """Return what stands on the key."""
    return key.upper() if len(key) == 1 else key[:1].upper() + key[1:]
