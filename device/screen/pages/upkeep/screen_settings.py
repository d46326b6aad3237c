"""What a person sets at the screen: its colours, language and brightness; and which models are in use."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from device.screen.arrangement import Places
from device.screen.drawing.canvas import Canvas
from device.screen.drawing.themes import THEMES
from device.screen.drawing.translation import LANGUAGES
from device.screen.layout import ScreenState
from device.screen.navigation.page import Control, Notice, Open, Outcome, Page, Perform, Pressed, Stay
from device.screen.navigation.parts import BACK, HELP, Item, button_grid, button_row, panel

LEVELS = (0.2, 0.4, 0.6, 0.8, 1.0)  # of the brightness


@dataclass(frozen=True, slots=True, eq=False)
class SettingsPage(Page):
    """Each choice as a row of buttons; the present one has a thick edge, and is named above."""

    title = "Settings"

    known: Mapping[str, Any]  # as "screen settings" answers

    def draw(self, canvas: Canvas, places: Places, live: ScreenState) -> tuple[Control, ...]:
        """Draw the choices, and below them the models."""
        px, theme, controls = places.text_px, canvas.theme, list[Control]()
        *rows, facts = places.body.rows((4.7, 4.7, 4.7, 4), places.gap)
        for row, (heading, items) in zip(rows, self._choices(), strict=True):
            above, below = row.rows((1.4, 3.2), 1)
            canvas.text(heading, above if items else row, px, theme.text, theme.background)
            drawn = button_grid(canvas, below, px, items, max(1, len(items)))
            for control in drawn:
                if control.value.items() <= self.known.items():
                    canvas.frame(control.box, theme.text, max(3, px // 4))
            controls += drawn
        used = f"In use: {live.model}" if live.model else "No field was examined yet."
        said = "Level and bundle are chosen in the settings file, section [model]."
        panel(canvas, facts, px, "Models", [(used, theme.text), (said, theme.quiet)])
        return (*controls, *button_row(canvas, places.row, px, (BACK, HELP)))

    def _choices(self) -> list[tuple[str, list[Item]]]:
        t_theme, language, brightness = self.known["theme"], LANGUAGES[self.known["language"]], self.known["brightness"]
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
        ]  # fmt: skip

    def press(self, pressed: Pressed, live: ScreenState) -> Outcome:
        """Make a choice, which holds at once and is kept."""
        match pressed:
            case Control("choose", value=choice):
                return Perform("screen choose", choice, lambda answer: Stay(SettingsPage(answer)))
        return Notice()


def open_settings() -> Outcome:
    """Open the page."""
    return Perform("screen settings", {}, lambda answer: Open(SettingsPage(answer)))
