"""What widgets draw on: rectangles and text in the pixels of the screen, with a list of everything written."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from device.screen.drawing.boxes import Box, Colour
from device.screen.drawing.text import clean, draw_line, fit_sentences, least_px, line_height, measure, shorten
from device.screen.drawing.themes import Theme
from device.screen.drawing.translation import ENGLISH, JOINT, translated


@dataclass(frozen=True, slots=True)
class Written:
    """One text on the screen, for whoever checks that all of it can be read."""

    text: str
    px: int
    boxes: tuple[Box, ...]  # of its lines
    room: Box  # that it was given
    whole: bool  # False: it ends in an ellipsis, or sentences are left out and counted


class Canvas:
    """A picture of `size` width and height, drawn on in the colours of `theme`; what is written is in `language`."""

    def __init__(self, size: tuple[int, int], theme: Theme, language: str = ENGLISH) -> None:
        self.pixels: NDArray[np.uint8] = np.empty((size[1], size[0], 3), np.uint8)
        self.theme = theme
        self.language = language
        self.written: list[Written] = []
        self.fill(Box(0, 0, *size), theme.background)

    def fill(self, box: Box, colour: Colour) -> None:
        """Fill a rectangle."""
        if box.width > 0 and box.height > 0:  # NumPy took 18 of 28 ms at 1920x1080
            end = (box.x + box.width - 1, box.y + box.height - 1)
            cv2.rectangle(self.pixels, (box.x, box.y), end, colour, cv2.FILLED)

    def translated(self, text: str) -> str:
        """Return an English `text` in the language of the screen."""
        return translated(text, self.language)

    def cover(self, box: Box, colour: Colour) -> None:
        """Fill a rectangle over what was written there."""
        self.fill(box, colour)
        self.written = [each for each in self.written if not any(box.holds(line.x, line.y) for line in each.boxes)]

    def frame(self, box: Box, colour: Colour, width: int = 1) -> None:
        """Draw the edges of a rectangle, inside it."""
        area = self.pixels[box.y : box.y + box.height, box.x : box.x + box.width]
        area[:width] = area[-width:] = colour
        area[:, :width] = area[:, -width:] = colour

    def text(
        self,
        text: str | Sequence[str],
        box: Box,
        px: int,
        ink: Colour,
        ground: Colour | None = None,
        *,
        align: str = "left",
        top: bool = False,
        underlined: str = "",
        verbatim: bool = False,
    ) -> None:
        """Write in `box`, on the panel's colour if no other `ground` is given; wrapped, and smaller if need be.

        Of several sentences those that do not fit are counted; only a text that does not fit in the smallest letters
        ends in an ellipsis. It stands in the middle of the height, or at the `top`. The first letter that is
        `underlined`, in either case, has a line below it. It is translated, unless it is `verbatim`: it is
        translated already, or a person typed it.
        """
        given = [text] if isinstance(text, str) else text
        sentences = tuple(filter(None, map(clean, given if verbatim else map(self.translated, given))))
        if not sentences or box.width <= 0:
            return
        found = fit_sentences(sentences, px, box.width, box.height)
        least = least_px(px)
        size, lines, whole = found or (least, (shorten(JOINT.join(sentences), least, box.width),), False)
        step = line_height(size)
        y = box.y if top else box.y + max(0, (box.height - step * len(lines)) // 2)
        boxes = []
        for line in lines:
            width = measure(line, size)
            x = box.x + {"left": 0, "centre": (box.width - width) // 2, "right": box.width - width}[align]
            draw_line(self.pixels, line, (x, y), size, ink, ground or self.theme.panel)
            if underlined and (at := line.lower().find(underlined.lower())) >= 0:
                begin, end = (x + measure(line[:count], size) for count in (at, at + 1))
                self.fill(Box(begin, y + round(size * 1.12), end - begin, max(1, size // 14)), ink)
                underlined = ""
            boxes.append(Box(x, y, width, step))
            y += step
        self.written.append(Written(JOINT.join(sentences), size, tuple(boxes), box, whole))
