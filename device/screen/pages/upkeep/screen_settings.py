"""What a person sets at the screen: its colours, language, brightness and lock; and which models are used."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from device.screen.arrangement import Places
from device.screen.drawing.canvas import Canvas
from device.screen.drawing.themes import THEMES
from device.screen.drawing.translation import LANGUAGES
from device.screen.layout import ScreenState
from device.screen.navigation.page import Control, Notice, Open, Outcome, Page, Perform, Pressed, Stay
from device.screen.navigation.parts import BACK, HELP, Item, button_grid, button_row
from device.screen.pages.lock import PinPage
from device.screen.pages.upkeep.models import open_models

LEVELS = (0.2, 0.4, 0.6, 0.8, 1.0)  # of the brightness
LOCK_AFTER_MIN = (2, 5, 15, 60, 0)  # without a touch; 0: by the button alone


@dataclass(frozen=True, slots=True, eq=False)
class SettingsPage(Page):
    """Each choice as a row of buttons; the present one has a thick edge, and is named above."""

    title = "Settings"

    known: Mapping[str, Any]  # as "screen settings" answers

    def draw(self, canvas: Canvas, places: Places, live: ScreenState) -> tuple[Control, ...]:
        """Draw the choices."""
        px, theme, controls = places.text_px, canvas.theme, list[Control]()
        for row, (heading, items) in zip(places.body.rows([1] * 4, places.gap), self._choices(), strict=True):
            above, below = row.rows((1.4, 3.2), 1)
            canvas.text(heading, above if items else row, px, theme.text, theme.background)
            drawn = button_grid(canvas, below, px, items, max(1, len(items)))
            for control in drawn:
                if control.value.items() <= self.known.items():
                    canvas.frame(control.box, theme.text, max(3, px // 4))
            controls += drawn
        others = (Item("models", "Level and bundle", "m"), Item("pin", "PIN", "p"))
        return (*controls, *button_row(canvas, places.row, px, (BACK, *others, HELP)))

    def _choices(self) -> list[tuple[str, list[Item]]]:
        t_theme, language, brightness = self.known["theme"], LANGUAGES[self.known["language"]], self.known["brightness"]
        after = self.known["lock_after_min"]
        free, talks = "theme" not in self.known["fixed"], "language" not in self.known["fixed"]
        return [
            (f"Colours: {t_theme}." if free else f"Colours: {t_theme}, as the settings file says (display.theme).",
             [Item("choose", each, str(n), free, {"theme": each}) for n, each in enumerate(THEMES, 1)]),
            (f"Language: {language}." if talks else
             f"Language: {language}, as the settings file says (display.language).",
             [Item("choose", name, str(n), talks, {"language": each})
              for n, (each, name) in enumerate(LANGUAGES.items(), 4)]),
            ("This screen has no backlight that can be set from here.", []) if brightness is None else
            (f"Brightness: {brightness * 100:.0f} %.",
             [Item("choose", f"{each * 100:.0f} %", key, value={"brightness": each})
              for key, each in zip("vwxyz", LEVELS, strict=True)]),
            ("No PIN is set: whoever stands here can do everything.", []) if not self.known["pin"] else
            ("The screen locks by the button alone: Menu, Lock." if not after else
             f"The screen locks after {after} minutes without a touch, and by the button: Menu, Lock.",
             [Item("choose", f"{each} min" if each else "Button alone", key, value={"lock_after_min": each})
              for key, each in zip("abcde", LOCK_AFTER_MIN, strict=True)]),
        ]  # fmt: skip

    def press(self, pressed: Pressed, live: ScreenState) -> Outcome:
        """Make a choice, which holds at once and is kept."""
        match pressed:
            case Control("choose", value=choice):
                return Perform("screen choose", choice, lambda answer: Stay(SettingsPage(answer)))
            case Control("models"):
                return open_models()
            case Control("pin"):
                return Open(PinPage())
        return Notice()


def open_settings() -> Outcome:
    """Open the page."""
    return Perform("screen settings", {}, lambda answer: Open(SettingsPage(answer)))
