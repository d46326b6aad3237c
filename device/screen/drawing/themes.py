"""The colours of the screen, apart from those of classes: dark, light, and with high contrast."""

from dataclasses import dataclass

from device.screen.drawing.boxes import Colour


@dataclass(frozen=True, slots=True)
class Theme:
    """One set of colours. Text is at least 4.5 : 1 on what it stands on (WCAG 2.1, AA); in high contrast 7 : 1."""

    background: Colour
    panel: Colour
    track: Colour  # of bars and buttons
    text: Colour
    quiet: Colour  # of what matters less
    warning: Colour


DARK = Theme((16, 19, 24), (28, 33, 40), (52, 60, 70), (236, 240, 244), (176, 186, 198), (255, 176, 32))
LIGHT = Theme((222, 226, 231), (250, 251, 252), (214, 220, 227), (20, 24, 30), (70, 80, 92), (150, 60, 0))
CONTRAST = Theme((48, 48, 48), (0, 0, 0), (56, 56, 56), (255, 255, 255), (255, 255, 255), (255, 230, 0))
THEMES = {"dark": DARK, "light": LIGHT, "contrast": CONTRAST}
