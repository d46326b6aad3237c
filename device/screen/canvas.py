"""Rectangles and text drawn on an RGB array, in the pixels of a layout; the font is the one in Pillow."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]

ELLIPSIS = "…"
KEPT_TEXTS = 512  # a screen holds about 40; the rest are the last seconds' figures


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of the screen."""

    x: int
    y: int
    width: int
    height: int

    def holds(self, x: int, y: int) -> bool:
        """Tell whether the point lies inside."""
        return self.x <= x < self.x + self.width and self.y <= y < self.y + self.height

    def inset(self, x: int, y: int, width: int, height: int) -> "Box":
        """Return a box placed inside this one."""
        return Box(self.x + x, self.y + y, width, height)


@lru_cache(maxsize=32)
def _font(px: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(px)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow is built without FreeType"
    # Builds of Pillow differ in whether they shape text by Raqm; the basic layout is in all of them, and faster.
    return font.font_variant(layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=KEPT_TEXTS)
def measure(text: str, px: int) -> int:
    """Return the width of `text` in pixels."""
    return round(_font(px).getlength(text))


def line_height(px: int) -> int:
    """Return the distance between two lines."""
    return round(px * 1.25)


@lru_cache(maxsize=KEPT_TEXTS)
def shorten(text: str, px: int, width: int) -> str:
    """Return `text`, its end replaced by an ellipsis if it is wider than `width` pixels."""
    text = " ".join(text.split())
    if measure(text, px) <= width:
        return text
    kept = text
    while kept and measure(kept.rstrip() + ELLIPSIS, px) > width:
        kept = kept[:-1]
    return kept.rstrip() + ELLIPSIS if kept else ""


@lru_cache(maxsize=KEPT_TEXTS)
def wrap(text: str, px: int, width: int, lines: int) -> tuple[str, ...]:
    """Return `text` as at most `lines` lines of `width` pixels; the last ends in an ellipsis if there is more."""
    words = text.split()
    wrapped: list[str] = []
    while words and len(wrapped) < lines - 1:
        count = 1
        while count < len(words) and measure(" ".join(words[: count + 1]), px) <= width:
            count += 1
        wrapped.append(shorten(" ".join(words[:count]), px, width))
        words = words[count:]
    if words:
        wrapped.append(shorten(" ".join(words), px, width))
    return tuple(wrapped)


@lru_cache(maxsize=KEPT_TEXTS)
def _coverage(text: str, px: int) -> NDArray[np.uint16]:
    """Return how much of each pixel `text` covers: uint16 (line height, width, 1), 0 to 255."""
    mask = Image.new("L", (max(1, measure(text, px) + 2), line_height(px)))
    # "ls": from the left end of the baseline, so that lines with and without descenders stand level.
    ImageDraw.Draw(mask).text((0, round(px * 0.95)), text, fill=255, font=_font(px), anchor="ls")
    coverage = np.asarray(mask, np.uint16)[..., None]
    coverage.setflags(write=False)
    return coverage


def draw_text(screen: NDArray[np.uint8], text: str, at: tuple[int, int], px: int, colour: Colour) -> None:
    """Draw one line on `screen`, RGB uint8, its top left corner `at` x, y; what lies outside is cropped."""
    x, y = at
    if not text or x < 0 or y < 0:
        return
    area = screen[y : y + line_height(px), x : x + measure(text, px) + 2]
    cover = _coverage(text, px)[: area.shape[0], : area.shape[1]]
    foreground = np.array(colour, np.uint16)
    area[:] = (area * (255 - cover) + foreground * cover + 127) // 255


class Canvas:
    """Draws on `pixels`, RGB uint8 (H, W, 3), in the pixels of a layout of `layout` width and height."""

    def __init__(self, layout: tuple[int, int], pixels: NDArray[np.uint8]) -> None:
        self.pixels = pixels
        self._scale = (pixels.shape[1] / layout[0], pixels.shape[0] / layout[1])
        self._text_scale = min(self._scale)

    def place(self, box: Box) -> Box:
        """Return `box` in the screen's own pixels."""
        left, right = (round(edge * self._scale[0]) for edge in (box.x, box.x + box.width))
        top, bottom = (round(edge * self._scale[1]) for edge in (box.y, box.y + box.height))
        return Box(left, top, right - left, bottom - top)

    def fill(self, box: Box, colour: Colour) -> None:
        """Fill a rectangle."""
        area = self.place(box)
        self.pixels[area.y : area.y + area.height, area.x : area.x + area.width] = colour

    def text(self, text: str, box: Box, px: int, colour: Colour, *, align: str = "left", lines: int = 1) -> None:
        """Write from the top of `box`, wrapped to `lines` and shortened; one line is centred in its height."""
        area, text_px = self.place(box), max(6, round(px * self._text_scale))
        texts = wrap(text, text_px, area.width, lines) if lines > 1 else (shorten(text, text_px, area.width),)
        y = area.y if lines > 1 else area.y + (area.height - line_height(text_px)) // 2
        for line in texts:
            spare = area.width - measure(line, text_px)
            x = area.x + {"left": 0, "centre": spare // 2, "right": spare}[align]
            draw_text(self.pixels, line, (x, y), text_px, colour)
            y += line_height(text_px)
