"""The parts that pages are made of: button, bar, list, and the mark of a class. Each draws into the box it is given."""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from device.screen.drawing.boxes import Box, Colour
from device.screen.drawing.canvas import Canvas
from device.screen.drawing.text import clean, fit, least_px, line_height, measure, wrap

LINE_STYLES: tuple[tuple[int, tuple[tuple[int, int], ...]], ...] = (
    (72, ((0, 72),)),  # solid
    (12, ((0, 7),)),  # dashed
    (6, ((0, 2),)),  # dotted
    (18, ((0, 9), (12, 14))),  # dashes and dots
)
"""By class, in their order: after how many of `STEPS` the pattern comes again, and from where to where it is drawn."""
STEPS = 72  # of the way around a cell


def button(canvas: Canvas, box: Box, text: str, px: int, *, usable: bool, key: str = "", align: str = "centre") -> None:
    """A button; one that does nothing now is flat and has no edge.

    The letter of its `key` is underlined in `text`, or follows it.
    """
    ground = canvas.theme.track if usable else canvas.theme.background
    canvas.fill(box, ground)
    if usable:
        canvas.frame(box, canvas.theme.quiet)
    ink = canvas.theme.text if usable else canvas.theme.quiet
    inner = box.inset(4 if align == "centre" else px // 2, 2)
    shown, letter_key = canvas.translated(text), key if len(key) == 1 else ""
    if shown and letter_key and letter_key.lower() not in shown.lower():
        shown = f"{shown} ({letter_key.upper()})"
    canvas.text(shown, inner, px, ink, ground, align=align, underlined=letter_key, verbatim=True)


def bar(canvas: Canvas, box: Box, share: float, colour: Colour, marks: Iterable[float] = ()) -> None:
    """A bar filled up to `share`, 0 to 1, with a line across it at each of `marks`."""
    canvas.fill(box, canvas.theme.track)
    canvas.fill(Box(box.x, box.y, round(box.width * min(1.0, max(0.0, share))), box.height), colour)
    canvas.frame(box, canvas.theme.quiet)
    wide = max(2, box.height // 6)
    for mark in marks:
        at = box.x + round((box.width - wide) * mark)
        canvas.fill(Box(at - 2, box.y, wide + 4, box.height), canvas.theme.panel)
        canvas.fill(Box(at, box.y - 2, wide, box.height + 4), canvas.theme.text)


def lines(canvas: Canvas, box: Box, texts: Sequence[tuple[str, Colour]], px: int, ground: Colour | None = None) -> None:
    """A list: one text under another, each in its colour, all of the size that the longest needs."""
    rows = box.rows([1] * len(texts)) if texts else []
    shown = [clean(canvas.translated(text)) for text, _ in texts]
    sizes = [fit(text, px, row.width, row.height) for text, row in zip(shown, rows, strict=True)]
    common = min((found[0] if found else least_px(px) for found in sizes), default=px)
    for text, (_, ink), row in zip(shown, texts, rows, strict=True):
        canvas.text(text, row, common, ink, ground, verbatim=True)


def paragraphs(canvas: Canvas, box: Box, texts: Sequence[tuple[str, Colour]], px: int) -> None:
    """Sentences one under another from the top of `box`, wrapped, each in its colour and all of one size."""
    words = [(clean(canvas.translated(text)), ink) for text, ink in texts]
    for size in range(px, least_px(px) - 1, -1):
        heights = [len(wrap(text, size, box.width)) * line_height(size) for text, _ in words]
        gap = size // 3
        if sum(heights) + gap * (len(heights) - 1) <= box.height:
            break
    else:  # the canvas counts those that find no room
        canvas.text([text for text, _ in words], box, px, canvas.theme.text, top=True, verbatim=True)
        return
    y = box.y
    for (text, ink), height in zip(words, heights, strict=True):
        canvas.text(text, Box(box.x, y, box.width, height), size, ink, verbatim=True)
        y += height + gap


def picture(canvas: Canvas, box: Box, image: NDArray[np.uint8]) -> None:
    """A picture, RGB uint8 (H, W, 3), as large as it fits into `box`, in its middle."""
    height, width = image.shape[:2]
    scale = min(box.width / width, box.height / height)
    wide, high = max(1, round(width * scale)), max(1, round(height * scale))
    x, y = box.x + (box.width - wide) // 2, box.y + (box.height - high) // 2
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    canvas.pixels[y : y + high, x : x + wide] = cv2.resize(image, (wide, high), interpolation=way)


def letter(canvas: Canvas, box: Box, text: str, px: int, colour: Colour) -> None:
    """The letter of a class on its colour."""
    canvas.fill(box, colour)
    canvas.text(text, box, px, black_or_white(colour), colour, align="centre")


def sample(canvas: Canvas, box: Box, style: int, colour: Colour, ground: Colour) -> None:
    """A piece of a line in the style of a class, as its cells are outlined; `box` is filled with `ground`."""
    canvas.fill(box, ground)
    period, drawn = LINE_STYLES[style]
    step, thick = max(1, box.width // 36), max(2, box.height // 6)
    y = box.y + (box.height - thick) // 2
    for begin in range(0, box.width // step, period):
        for start, stop in drawn:
            left, right = (min(box.width, (begin + each) * step) for each in (start, stop))
            canvas.fill(Box(box.x + left, y, right - left, thick), colour)


def black_or_white(colour: Colour) -> Colour:
    """Return what can be read on `colour`."""
    return (0, 0, 0) if cv2.cvtColor(np.array([[colour]], np.uint8), cv2.COLOR_RGB2GRAY)[0, 0] > 110 else (255,) * 3


def flow(box: Box, widths: Sequence[int], height: int, gap: int) -> list[Box]:
    """Return a box of each of `widths` from left to right, in a new row where one is full."""
    found, x, y = [], box.x, box.y
    for width in widths:
        if x > box.x and x + width > box.x + box.width:
            x, y = box.x, y + height
        found.append(Box(x, y, min(width, box.width), height))
        x += width + gap
    return found


def width_of(text: str, px: int) -> int:
    """Return the width that `text` takes in one line, and a little more."""
    return measure(text, px) + 2
