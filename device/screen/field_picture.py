"""The field on the screen: as large as it fits, with cells and nuclei outlined, and the legend with its scale bar."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from device.screen.drawing.boxes import Box, Colour
from device.screen.drawing.canvas import Canvas
from device.screen.drawing.text import LEAST_PX
from device.screen.drawing.widgets import LINE_STYLES, STEPS, flow, letter, sample, width_of
from device.screen.stage_tracker import UNMOVED, Shift
from smear.classes import FIELD_CLASSES
from smear.findings import NUCLEUS, Cell, Finding, Frame
from smear.inference.overlay import UNCLASSIFIED

HALO: Colour = (24, 20, 28)  # under each outline, as glass is nearly white
NUCLEUS_COLOUR: Colour = (255, 255, 0)
SCALE_UM = (1, 2, 5, 10, 20, 50, 100, 200, 500)
MAX_LETTERS = 60  # with more cells than this the letters would hide them; the line styles remain
LETTERS_ABOVE = 0.5  # opacity: a letter is not drawn pale
_HALO_LABEL, _NUCLEUS_LABEL, _PLAIN_LABEL = 255, 254, 253  # beside 1 to 4, which are the classes


@dataclass(frozen=True, slots=True)
class Placement:
    """How the outlines of the examined field are drawn on a later picture of it."""

    shift: Shift = UNMOVED
    opacity: float = 1.0  # 0 to 1: pale where they are old, or may not lie on their cells


HERE = Placement()


@dataclass(frozen=True, slots=True, eq=False)
class _Outlines:
    pixels: NDArray[np.uint8]  # RGB (H, W, 3), as large as the field on the screen
    covered: NDArray[np.uint8]  # (H, W), not 0 where something is drawn


def fitted(area: Box, width: int, height: int) -> Box:
    """Return the box in the middle of `area` in which a field of `width` and `height` is drawn."""
    scale = min(area.width / width, area.height / height)
    across, down = max(1, round(width * scale)), max(1, round(height * scale))
    return Box(area.x + (area.width - across) // 2, area.y + (area.height - down) // 2, across, down)


def draw_field(
    canvas: Canvas, area: Box, px: int, frame: Frame, finding: Finding | None, placement: Placement = HERE
) -> float:
    """Show `frame` in `area` with what `finding` says of it; return the screen's pixels in one of the frame's.

    `placement` tells where its outlines are now, if it was made of an earlier picture.
    """
    height, width = frame.image.shape[:2]
    box = fitted(area, width, height)
    picture = resize(frame.image, (box.width, box.height))
    x, y = round(placement.shift.x * box.width), round(placement.shift.y * box.height)
    if finding is not None:
        _lay_over(picture, _outlines(finding, (box.width, box.height)), (x, y), placement.opacity)
    canvas.pixels[box.y : box.y + box.height, box.x : box.x + box.width] = picture
    lettered = finding is not None and finding.label is not None and len(finding.cells) <= MAX_LETTERS
    if finding is not None and lettered and placement.opacity > LETTERS_ABOVE:
        examined = finding.mask.values.shape
        _draw_letters(canvas, box, px, finding.cells, min(area.width / examined[1], area.height / examined[0]), (x, y))
    return float(min(area.width / width, area.height / height))


def resize(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a resized copy; it is halved first, as OpenCV averages 2x2 blocks ten times faster than other areas."""
    while image.shape[1] >= 2 * size[0] and image.shape[0] >= 2 * size[1]:
        half = (image.shape[1] // 2, image.shape[0] // 2)
        image = np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def _lay_over(picture: NDArray[np.uint8], outlines: _Outlines, move: tuple[int, int], opacity: float) -> None:
    """Draw the outlines into `picture`, moved by x, y."""
    (height, width), (x, y) = picture.shape[:2], move
    if abs(x) >= width or abs(y) >= height or opacity <= 0:
        return
    target = picture[max(y, 0) : height + min(y, 0), max(x, 0) : width + min(x, 0)]
    part = (slice(max(-y, 0), height - max(y, 0)), slice(max(-x, 0), width - max(x, 0)))
    drawn = outlines.pixels[part]
    if opacity < 1:
        drawn = np.asarray(cv2.addWeighted(target, 1 - opacity, drawn, opacity, 0), np.uint8)
    cv2.copyTo(drawn, outlines.covered[part], target)


@lru_cache(maxsize=2)  # of a frozen field and the newest: thirty pictures a second show the same outlines
def _outlines(finding: Finding, size: tuple[int, int]) -> _Outlines:
    """Return the outlines for a field of `size` (width, height) on the screen.

    Every cell has colour and line style of its class on a dark halo, thin lines are around the nuclei inside. A
    refused field has no label, and so its cells no class. Thin lines are drawn, then all dilated at once: drawing
    thick lines one by one took 7 ms for 300 cells.
    """
    height, width = finding.mask.values.shape
    scale = (size[0] / width, size[1] / height)
    labels = np.zeros(size[::-1], np.uint8)
    palette = np.zeros((256, 1, 3), np.uint8)
    palette[[_HALO_LABEL, _NUCLEUS_LABEL, _PLAIN_LABEL], 0] = HALO, NUCLEUS_COLOUR, UNCLASSIFIED
    palette[1 : len(FIELD_CLASSES) + 1, 0] = [each.colour for each in FIELD_CLASSES]
    if finding.cells:
        points, classes = _points(finding.cells, scale), _classes(finding)
        for each in np.unique(classes):
            lines = _in_style(points[classes == each], int(each) % len(LINE_STYLES) if each >= 0 else 0)
            label = int(each) + 1 if each >= 0 else _PLAIN_LABEL
            cv2.polylines(labels, lines, False, label, 1, cv2.LINE_8)
    thick = max(2, round(min(size) / 160))
    labels = np.asarray(cv2.dilate(labels, np.ones((thick, thick), np.uint8)))
    touched = np.asarray(cv2.dilate(labels, np.ones((3, 3), np.uint8)))
    labels[(labels == 0) & (touched > 0)] = _HALO_LABEL
    nuclei = (cv2.resize(finding.mask.values, labels.shape[::-1], interpolation=cv2.INTER_NEAREST) == NUCLEUS).view(
        np.uint8
    )
    rim = nuclei - np.asarray(cv2.erode(nuclei, np.ones((thick + 1, thick + 1), np.uint8)))
    labels[(rim > 0) & (labels == 0)] = _NUCLEUS_LABEL
    return _Outlines(np.asarray(cv2.LUT(cv2.merge([labels] * 3), palette), np.uint8), labels)


def _points(cells: tuple[Cell, ...], scale: tuple[float, float]) -> NDArray[np.int32]:
    """Return `STEPS` points around each cell and the first again: int32 (cells, STEPS + 1, 2) on the screen."""
    counts = np.array([len(cell.contour) for cell in cells])
    starts = np.cumsum(counts) - counts
    picked = starts[:, None] + np.arange(STEPS + 1) % STEPS * counts[:, None] // STEPS
    # Coordinates are of pixel centres: 0 is the middle of the first pixel, in the frame and on the screen.
    outlines = np.concatenate([cell.contour for cell in cells])[picked]
    return np.asarray(np.rint((outlines + 0.5) * scale - 0.5), np.int32)


def _classes(finding: Finding) -> NDArray[np.int64]:
    """Return the number of each cell's class; -1 where it has none."""
    if finding.label is None:
        return np.full(len(finding.cells), -1)
    return np.array([int(np.argmax(c.probabilities)) if c.probabilities else -1 for c in finding.cells])


def _in_style(points: NDArray[np.int32], style: int) -> list[NDArray[np.int32]]:
    """Return the pieces that are drawn of closed outlines (cells, STEPS + 1, 2)."""
    period, drawn = LINE_STYLES[style]
    pieces: list[NDArray[np.int32]] = []
    for begin in range(0, STEPS, period):
        for start, stop in drawn:
            pieces.extend(points[:, begin + start : begin + stop + 1])
    return pieces


def _draw_letters(
    canvas: Canvas, picture: Box, px: int, cells: tuple[Cell, ...], scale: float, move: tuple[int, int]
) -> None:
    """Put the letter of its class at the upper right of each cell, where the picture has room for it."""
    side = max(LEAST_PX, round(0.8 * px))
    high = round(1.25 * side)
    for cell in cells:
        if not cell.probabilities:
            continue
        each = FIELD_CLASSES[int(np.argmax(cell.probabilities))]
        left, top, wide, _ = (round(part * scale) for part in cell.bbox)
        x, y = left + wide + move[0], top - high // 2 + move[1]
        if move == (0, 0):
            x, y = min(picture.width - high, x), max(0, y)
        if 0 <= x <= picture.width - high and 0 <= y <= picture.height - high:
            letter(canvas, Box(picture.x + x, picture.y + y, high, high), each.letter, side, each.colour)


def draw_legend(canvas: Canvas, area: Box, px: int, finding: Finding | None, um_per_px: float | None) -> None:
    """Say what outlines mean, and draw a scale bar; `um_per_px`: of a pixel of the screen, None: not known."""
    ground, ink = canvas.theme.track, canvas.theme.text
    canvas.fill(area, ground)
    entries: list[tuple[str, Colour, int, str]] = []
    if finding is not None and finding.label is not None:
        entries = [(canvas.translated(each.name), each.colour, n, each.letter) for n, each in enumerate(FIELD_CLASSES)]
    elif finding is not None and finding.cells:
        entries = [(canvas.translated("cell"), UNCLASSIFIED, 0, "")]
    if finding is not None and finding.cells:
        entries.append((canvas.translated("nucleus"), NUCLEUS_COLOUR, 0, ""))
    row, gap = round(1.4 * px), px // 3
    scale_text, bar_px = _scale_bar(um_per_px, 6 * px)
    scale_text = canvas.translated(scale_text)
    room = area.inset(gap, 0)

    def places(names: bool) -> list[Box]:
        """The scale bar and every entry; a class's letter stands for its name where that finds no room."""
        wide = [bar_px + gap + width_of(scale_text, px)]
        for name, _, _, mark in entries:
            written = width_of(name, px) + gap if names or not mark else 0
            wide.append(round(1.8 * px) + (row if mark else 0) + written)
        return flow(room, wide, row, gap * 2)

    names = places(True)[-1].y + row <= area.y + area.height
    boxes = places(names)
    if bar_px:
        _draw_scale(canvas, Box(boxes[0].x, boxes[0].y, bar_px, row), ink)
    at = boxes[0].x + bar_px + (gap if bar_px else 0)
    canvas.text(scale_text, Box(at, boxes[0].y, boxes[0].x + boxes[0].width - at, row), px, ink, ground, verbatim=True)
    for (name, colour, style, mark), box in zip(entries, boxes[1:], strict=True):
        x = box.x
        if mark:
            letter(
                canvas,
                Box(x, box.y + row // 8, row - gap, row - row // 4),
                mark,
                max(LEAST_PX, round(0.8 * px)),
                colour,
            )
            x += row
        sample(canvas, Box(x, box.y + row // 8, round(1.6 * px), row - row // 4), style, colour, HALO)
        x += round(1.8 * px)
        if names or not mark:
            canvas.text(name, Box(x, box.y, box.x + box.width - x, row), px, ink, ground, verbatim=True)


def _scale_bar(um_per_px: float | None, most_px: int) -> tuple[str, int]:
    """Return the text beside the scale bar, and its length."""
    lengths = [um for um in SCALE_UM if um_per_px and um / um_per_px <= most_px]
    return (f"{lengths[-1]} µm", round(lengths[-1] / um_per_px)) if lengths and um_per_px else ("no scale", 0)


def _draw_scale(canvas: Canvas, box: Box, ink: Colour) -> None:
    thick, y = max(2, box.height // 8), box.y + box.height // 2
    canvas.fill(Box(box.x, y - thick // 2, box.width, thick), ink)
    for x in (box.x, box.x + box.width - thick):
        canvas.fill(Box(x, box.y + box.height // 4, thick, box.height // 2), ink)
