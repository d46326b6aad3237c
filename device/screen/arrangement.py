"""Where everything stands on a screen of any size: on the live page, and on every other one."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from device.screen.drawing.boxes import Box
from device.screen.drawing.text import LEAST_PX

SIZE = (800, 480)  # width, height of the Pi's 7 inch touch screen
# 12 point are letters 3.1 mm high: 17 minutes of arc at 60 cm, where ISO 9241-303 asks for 16.
POINTS = 12.0
_LANDSCAPE = 1.2  # width / height from which there is room for a column beside the picture
_SIDE = 22.0  # width of that column; like all lengths below in the height of the text
_LANDSCAPE_ROOM = (47.0, 32.0)  # width and height that the page needs
_PORTRAIT_ROOM = (30.0, 62.0)
_HEADER, _FOOTER, _TITLE, _BUTTONS, _NOTICES = 1.8, 1.6, 2.5, 3.2, 3.4
_LEGEND_ROW, _LEGEND_WIDTH = 1.4, 28.0  # in less width the legend takes two rows
_PANELS = (6.8, 7.4, 3.4, 4.2, 4.4)  # verdict, classes, meters, slide, state


@dataclass(frozen=True, slots=True)
class Places:
    """The boxes of every page, those of the live page, and the height of the text in pixels."""

    text_px: int
    gap: int
    title: Box  # of pages other than the live one, as are `body` and `row`
    body: Box
    row: Box  # of buttons
    header: Box
    picture: Box
    legend: Box
    notices: Box
    about: Box  # of the button that explains the live page
    buttons: Box
    verdict: Box
    classes: Box
    meters: Box
    slide: Box
    state: Box
    footer: Box

    def __iter__(self) -> Iterator[Box]:
        """Every box of the live page; no two overlap."""
        yield from (self.header, self.picture, self.legend, self.notices, self.about, self.buttons)
        yield from (self.verdict, self.classes, self.meters, self.slide, self.state, self.footer)


def workable(size: tuple[int, int]) -> tuple[int, int]:
    """Return `size`, or a larger one of the same shape where it has no room for the page in the smallest letters."""
    across, down = _LANDSCAPE_ROOM if size[0] >= _LANDSCAPE * size[1] else _PORTRAIT_ROOM
    scale = max(1.0, across * LEAST_PX / size[0], down * LEAST_PX / size[1])
    return round(size[0] * scale), round(size[1] * scale)


@lru_cache(maxsize=8)
def arrange(size: tuple[int, int], dots_per_inch: float | None = None) -> Places:
    """Return the places on a screen of `size` width and height.

    Text has `POINTS`, or as much less as the page needs to find room; where the density is not known it takes all
    the room there is.
    """
    width, height = size
    beside = width >= _LANDSCAPE * height
    across, down = _LANDSCAPE_ROOM if beside else _PORTRAIT_ROOM
    room = min(width / across, height / down)
    px = max(LEAST_PX, int(room if dots_per_inch is None else min(room, POINTS * dots_per_inch / 72)))
    gap = max(3, px // 2)
    top, bottom = round(_HEADER * px), round(_FOOTER * px)
    page = Box(gap, top + gap, width - 2 * gap, height - top - bottom - 2 * gap)
    if beside:
        left = Box(page.x, page.y, page.width - round(_SIDE * px) - gap, page.height)
        side = Box(left.x + left.width + gap, page.y, page.x + page.width - left.x - left.width - gap, page.height)
        panels = side.rows(_PANELS, gap)
    else:
        used = round(sum(_PANELS) * px) + len(_PANELS) * gap
        left = Box(page.x, page.y, page.width, page.height - used)
        panels = Box(page.x, left.y + left.height + gap, page.width, used - gap).rows(_PANELS, gap)
    legend_px = round(_LEGEND_ROW * px) * (1 if left.width >= _LEGEND_WIDTH * px else 2)
    notices_px, buttons_px = round(_NOTICES * px), round(_BUTTONS * px)
    picture_px = left.height - legend_px - notices_px - buttons_px - 2 * gap
    picture, legend, notices, buttons = _stacked(left, (picture_px, legend_px, notices_px, buttons_px), (0, gap, gap))
    notices, about = notices.columns((notices.width - gap - notices_px, notices_px), gap)
    title_px = round(_TITLE * px)
    title, body, row = _stacked(page, (title_px, page.height - title_px - buttons_px - 2 * gap, buttons_px), (gap, gap))
    verdict, classes, meters, slide, state = panels
    header, footer = Box(0, 0, width, top), Box(0, height - bottom, width, bottom)
    own = (picture, legend, notices, about, buttons, verdict, classes, meters, slide, state, footer)
    return Places(px, gap, title, body, row, header, *own)


def _stacked(area: Box, heights: tuple[int, ...], gaps: tuple[int, ...]) -> list[Box]:
    found, y = [], area.y
    for height, gap in zip(heights, (*gaps, 0), strict=True):
        found.append(Box(area.x, y, area.width, height))
        y += height + gap
    return found
