"""Text on the screen: DejaVu Sans for Latin, Greek and Cyrillic, Debian's Noto fonts for every other script."""

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from device.screen.drawing.boxes import Colour
from device.screen.drawing.translation import JOINT

FONT = Path(__file__).parent / "fonts" / "DejaVuSansCondensed.ttf"
SYSTEM_FONTS = Path("/usr/share/fonts")
_FALLBACKS = ("opentype/noto/NotoSansCJK-Regular.ttc", "truetype/noto/NotoSans*-Regular.ttf")  # noto-cjk, noto-core
_ABSENT = "\U0010ffff"  # no character: what a font draws for it, it draws for everything that it lacks
_PROBE_PX = 16

ELLIPSIS = "…"
LEAST_PX = 9  # the smallest at which every letter of the font keeps its form
LEAST_SHARE = 0.6  # of the size that was wanted: nobody reads letters of 9 pixels on a screen with 1080
KEPT_TEXTS = 512  # a screen holds about 50; the rest are the last seconds' figures


@lru_cache(maxsize=64)
def _font(path: Path, px: int) -> ImageFont.FreeTypeFont:
    # Builds of Pillow differ in whether they shape text by Raqm; the basic layout is in all of them, and faster.
    return ImageFont.truetype(path, px, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=4096)
def font_of(character: str) -> Path | None:
    """Return the font that draws `character`: ours, else the first of the system's; None where none has it."""
    fallbacks = (path for pattern in _FALLBACKS for path in sorted(SYSTEM_FONTS.glob(pattern)))
    return next((path for path in (FONT, *fallbacks) if _has(path, character)), None)


def _has(path: Path, character: str) -> bool:
    font = ImageFont.truetype(path, _PROBE_PX, layout_engine=ImageFont.Layout.BASIC)
    drawn, absent = font.getmask(character), font.getmask(_ABSENT)
    return drawn.size != absent.size or bytes(drawn) != bytes(absent)


def _runs(text: str) -> list[tuple[Path, str]]:
    """Return `text` in pieces of one font each."""
    return [(path, "".join(run)) for path, run in groupby(text, lambda each: font_of(each) or FONT)]


@lru_cache(maxsize=4 * KEPT_TEXTS)
def measure(text: str, px: int) -> int:
    """Return the width of `text` in pixels."""
    return round(sum(_font(path, px).getlength(run) for path, run in _runs(text)))


def line_height(px: int) -> int:
    """Return the distance between two lines."""
    return round(px * 1.25)


def plural(n: int, one: str, many: str) -> str:
    """Return the sentence for `n` of something, `{n}` in it replaced by the number."""
    return (one if n == 1 else many).format(n=n)


def clean(text: str) -> str:
    """Return `text` in one line, its accents joined with their letters."""
    return unicodedata.normalize("NFC", " ".join(text.split()))


@lru_cache(maxsize=KEPT_TEXTS)
def shorten(text: str, px: int, width: int) -> str:
    """Return `text`, its end replaced by an ellipsis if it is wider than `width` pixels."""
    if measure(text, px) <= width:
        return text
    kept = text
    while kept and measure(kept.rstrip() + ELLIPSIS, px) > width:
        kept = kept[:-1]
    return kept.rstrip() + ELLIPSIS if kept else ""


@lru_cache(maxsize=KEPT_TEXTS)
def wrap(text: str, px: int, width: int) -> tuple[str, ...]:
    """Return the lines of `text`, each at most `width` pixels wide; a word that is wider goes on in the next line."""
    lines, line = list[str](), ""
    for word in text.split():
        joined = f"{line} {word}" if line else word
        if measure(joined, px) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        line = word
        while len(line) > 1 and measure(line, px) > width:
            count = next((n for n in range(len(line) - 1, 1, -1) if measure(line[:n], px) <= width), 1)
            lines.append(line[:count])
            line = line[count:]
    return (*lines, line) if line else tuple(lines)


def least_px(px: int) -> int:
    """Return the smallest size that stands for `px`."""
    return min(px, max(LEAST_PX, round(LEAST_SHARE * px)))


@lru_cache(maxsize=KEPT_TEXTS)
def fit(text: str, px: int, width: int, height: int) -> tuple[int, tuple[str, ...]] | None:
    """Return the largest size up to `px` at which the whole text fits, and its lines; None when it does not.

    A word goes on in the next line only where it has no room in one at any size.
    """
    for may_break in (False, True):
        for size in range(px, least_px(px) - 1, -1):
            if not may_break and any(measure(word, size) > width for word in text.split()):
                continue
            lines = wrap(text, size, width)
            if len(lines) * line_height(size) <= height and all(measure(line, size) <= width for line in lines):
                return size, lines
    return None


def fit_sentences(
    sentences: Sequence[str], px: int, width: int, height: int
) -> tuple[int, tuple[str, ...], bool] | None:
    """Return size and lines of as many whole sentences as fit, then how many more there are; True: all are there."""
    for count in range(len(sentences), 0, -1):
        rest = len(sentences) - count
        text = JOINT.join(sentences[:count]) + (f" (+{rest} more)" if rest else "")
        if found := fit(text, px, width, height):
            return *found, not rest
    return None


@lru_cache(maxsize=KEPT_TEXTS)
def _coverage(text: str, px: int) -> NDArray[np.uint8]:
    """Return how much of each pixel `text` covers: uint8 (line height, width), 0 to 255."""
    mask = Image.new("L", (max(1, measure(text, px) + 2), line_height(px)))
    draw, x = ImageDraw.Draw(mask), 0.0
    for path, run in _runs(text):
        # "ls": from the left end of the baseline, so that lines with and without descenders stand level.
        draw.text((x, round(px * 0.97)), run, fill=255, font=_font(path, px), anchor="ls")
        x += _font(path, px).getlength(run)
    return np.asarray(mask)


@lru_cache(maxsize=64)
def _blend(ink: Colour, ground: Colour) -> NDArray[np.uint8]:
    """Return uint8 (256, 1, 3): the colour at each coverage."""
    share = np.arange(256)[:, np.newaxis, np.newaxis] / 255
    return np.rint(np.array(ground) * (1 - share) + np.array(ink) * share).astype(np.uint8)


def draw_line(screen: NDArray[np.uint8], text: str, at: tuple[int, int], px: int, ink: Colour, ground: Colour) -> None:
    """Draw one line in `ink` on `ground` into `screen`, RGB uint8, from the top left corner `at` x, y.

    What lies outside is cropped. The text is laid over nothing: its rectangle becomes `ground`.
    """
    x, y = at
    if not text or x < 0 or y < 0:
        return
    cover = _coverage(text, px)
    area = screen[y : y + cover.shape[0], x : x + cover.shape[1]]
    area[:] = cv2.LUT(cv2.merge([cover] * 3), _blend(ink, ground))[: area.shape[0], : area.shape[1]]
