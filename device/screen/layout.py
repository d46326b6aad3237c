"""The layout of the screen: one RGB picture as a pure function of `ScreenState`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from device.quality_control.measurements import NOT_CLEARED_TODAY
from device.screen.canvas import Box, Canvas, Colour
from smear import RESEARCH_USE_ONLY
from smear.classes import FIELD_CLASSES, by_name
from smear.findings import Cell, Finding, Frame
from smear.inference.overlay import colour_of
from smear.site import NOT_CHECKED

SIZE = (800, 480)  # width, height of the Pi's 7 inch touch screen; the layout below is in its pixels

BACKGROUND: Colour = (16, 19, 24)
PANEL: Colour = (28, 33, 40)
TRACK: Colour = (52, 60, 70)
TEXT: Colour = (236, 240, 244)
QUIET: Colour = (168, 178, 190)  # 7.6 : 1 on PANEL (WCAG asks 4.5)
WARNING: Colour = (255, 176, 32)
HALO: Colour = (24, 20, 28)  # under each outline, as glass is nearly white
HALO_LABEL = 255

SMALL_PX, BODY_PX, LARGE_PX = 14, 16, 30


class Button(StrEnum):
    """What a person can do on the screen."""

    NEW_SLIDE = "New slide"
    END_SLIDE = "End slide"
    KEEP_FIELD = "Keep field"


HEADER = Box(0, 0, 800, 32)
PICTURE = Box(8, 38, 440, 330)
WARNINGS = Box(8, 371, 440, 35)
BUTTONS = {
    Button.NEW_SLIDE: Box(8, 408, 142, 46),  # 46 px are 9 mm on the 7 inch screen: a finger in a glove
    Button.END_SLIDE: Box(157, 408, 142, 46),
    Button.KEEP_FIELD: Box(306, 408, 142, 46),
}
LABEL_PANEL = Box(456, 38, 336, 96)
BARS = Box(456, 140, 336, 118)
SLIDE = Box(456, 264, 336, 124)
STATE = Box(456, 394, 336, 60)
FOOTER = Box(0, 458, 800, 22)
PADDING = 10


@dataclass(frozen=True, slots=True, eq=False)
class ScreenState:
    """Everything that the screen shows."""

    frame: Frame | None = None  # None: no picture yet, or the camera is lost
    finding: Finding | None = None  # of `frame`; None: not examined yet
    fields_per_s: float = 0.0
    camera: str = ""
    simulated: bool = False
    model: str = ""  # bundle, level and runtime in one line
    slide: str | None = None  # its name; None: no slide is open
    accepted: int = 0  # fields that count in the slide's tally
    refused: int = 0
    shares: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))  # by class name, 0 to 1
    warnings: tuple[str, ...] = ()  # most urgent first
    not_cleared: bool = False  # the quality control of the day is asked for and not done


def button_at(x: int, y: int, size: tuple[int, int] = SIZE) -> Button | None:
    """Return the button at a tap on a screen of `size`, or None."""
    design_x, design_y = int(x * SIZE[0] / size[0]), int(y * SIZE[1] / size[1])
    return next((button for button, box in BUTTONS.items() if box.holds(design_x, design_y)), None)


def compose(state: ScreenState, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """Return the screen for `state` as RGB uint8 (height, width, 3) of `size` (width, height)."""
    canvas = Canvas(SIZE, _static_parts(size).copy())
    _draw_header(canvas, state)
    _draw_picture(canvas, state)
    _draw_warnings(canvas, state.warnings)
    _draw_buttons(canvas, state)
    _draw_label(canvas, state)
    _draw_bars(canvas, state.finding)
    _draw_slide(canvas, state)
    _draw_state(canvas, state)
    return canvas.pixels


@lru_cache(maxsize=4)
def _static_parts(size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return what never changes: background, panels, headings and the research-use notice."""
    canvas = Canvas(SIZE, np.full((size[1], size[0], 3), BACKGROUND, np.uint8))
    for box in (HEADER, FOOTER, LABEL_PANEL, BARS, SLIDE, STATE):
        canvas.fill(box, PANEL)
    canvas.fill(PICTURE, TRACK)
    canvas.text("Smearscope", Box(10, 0, 130, 32), 20, TEXT)
    canvas.text(RESEARCH_USE_ONLY, Box(10, 458, 780, 22), SMALL_PX, TEXT, align="centre")
    for row, each in enumerate(FIELD_CLASSES):
        canvas.text(each.title, BARS.inset(PADDING, 7 + 26 * row, 156, 26), SMALL_PX, TEXT)
        canvas.fill(_bar(row, 1.0), TRACK)
    canvas.pixels.setflags(write=False)
    return canvas.pixels


def _bar(row: int, share: float) -> Box:
    return BARS.inset(170, 13 + 26 * row, round(108 * min(1.0, max(0.0, share))), 14)


def _draw_header(canvas: Canvas, state: ScreenState) -> None:
    if state.not_cleared:
        canvas.text(NOT_CLEARED_TODAY.upper(), Box(530, 0, 168, 32), SMALL_PX, WARNING, align="centre")
    if state.simulated:
        canvas.fill(Box(276, 4, 248, 24), WARNING)
        canvas.text("SIMULATED MICROSCOPE", Box(276, 4, 248, 24), BODY_PX, BACKGROUND, align="centre")
    rate = f"{state.fields_per_s:.1f} fields/s" if state.fields_per_s else ""
    canvas.text(rate, Box(540, 0, 250, 32), BODY_PX, TEXT, align="right")


def _draw_picture(canvas: Canvas, state: ScreenState) -> None:
    """Show the field as large as it fits, with the outline of each cell."""
    area = canvas.place(PICTURE)
    if state.frame is None:
        canvas.text("No picture from the camera", PICTURE, 20, TEXT, align="centre")
        return
    image = state.frame.image
    height, width = image.shape[:2]
    scale = min(area.width / width, area.height / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    picture = _resize(image, size)
    if state.finding is not None:
        _draw_outlines(picture, state.finding.cells, (size[0] / width, size[1] / height))
    x, y = area.x + (area.width - size[0]) // 2, area.y + (area.height - size[1]) // 2
    canvas.pixels[y : y + size[1], x : x + size[0]] = picture


def _resize(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a resized copy; it is halved first, as OpenCV averages 2x2 blocks ten times faster than other areas."""
    while image.shape[1] >= 2 * size[0] and image.shape[0] >= 2 * size[1]:
        half = (image.shape[1] // 2, image.shape[0] // 2)
        image = np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def _draw_outlines(image: NDArray[np.uint8], cells: tuple[Cell, ...], scale: tuple[float, float]) -> None:
    """Draw every contour in its cell's colour on a dark halo.

    Thin lines are drawn, then all dilated at once: drawing thick lines one by one took 7 ms for 300 cells.
    """
    labels = np.zeros(image.shape[:2], np.uint8)
    palette = np.zeros((256, 1, 3), np.uint8)
    palette[HALO_LABEL] = HALO
    for number, (colour, contours) in enumerate(_contours_by_colour(cells, scale).items(), start=1):
        palette[number] = colour
        cv2.polylines(labels, contours, True, number, 1, cv2.LINE_8)
    labels = np.asarray(cv2.dilate(labels, np.ones((2, 2), np.uint8)))
    touched = np.asarray(cv2.dilate(labels, np.ones((3, 3), np.uint8)))
    labels[(labels == 0) & (touched > 0)] = HALO_LABEL
    cv2.copyTo(cv2.LUT(cv2.merge([labels] * 3), palette), labels, image)


def _contours_by_colour(cells: tuple[Cell, ...], scale: tuple[float, float]) -> dict[Colour, list[NDArray[np.int32]]]:
    if not cells:
        return {}
    # Coordinates are of pixel centres: 0 is the middle of the first pixel, in the frame and on the screen.
    points = np.rint((np.concatenate([cell.contour for cell in cells]) + 0.5) * scale - 0.5).astype(np.int32)
    ends = np.cumsum([len(cell.contour) for cell in cells])
    found: dict[Colour, list[NDArray[np.int32]]] = {}
    for cell, contour in zip(cells, np.split(points, ends[:-1]), strict=True):
        found.setdefault(colour_of(cell), []).append(contour)
    return found


def _draw_warnings(canvas: Canvas, warnings: tuple[str, ...]) -> None:
    if warnings:
        canvas.text("! " + "  ·  ".join(warnings), WARNINGS, SMALL_PX, WARNING, lines=2)


def _draw_buttons(canvas: Canvas, state: ScreenState) -> None:
    usable = {
        Button.NEW_SLIDE: True,
        Button.END_SLIDE: state.slide is not None,
        Button.KEEP_FIELD: state.frame is not None,
    }
    for button, box in BUTTONS.items():
        canvas.fill(box, TRACK if usable[button] else PANEL)
        canvas.text(button, box, 18, TEXT if usable[button] else QUIET, align="centre")


def _draw_label(canvas: Canvas, state: ScreenState) -> None:
    """Show which class this field resembles, or why there is no label: not examined, refused, or no cell found."""
    finding = state.finding
    heading, large = LABEL_PANEL.inset(PADDING, 6, 316, 18), LABEL_PANEL.inset(PADDING, 26, 316, 40)
    below = LABEL_PANEL.inset(PADDING, 70, 316, 20)
    if finding is None:
        canvas.text("This field", heading, SMALL_PX, QUIET)
        canvas.text("Not examined yet", large, 24, QUIET)
    elif finding.label is not None:
        found = by_name(finding.label)
        share = _percent(finding.probabilities.get(finding.label, 0.0))
        unchecked = finding.site is not None and not finding.site.checked
        mark = f" · {NOT_CHECKED}" if unchecked else ""
        canvas.text(f"This field resembles{mark}", heading, SMALL_PX, WARNING if unchecked else QUIET)
        canvas.text(found.title, large, LARGE_PX, found.colour)
        canvas.text(f"probability {share}, for this field alone", below, SMALL_PX, QUIET)
    elif finding.refusals:
        canvas.fill(LABEL_PANEL.inset(0, 0, 4, LABEL_PANEL.height), WARNING)
        canvas.text("Refused: no label for this field", heading, SMALL_PX, QUIET)
        canvas.text(
            "; ".join(map(str, finding.refusals)), LABEL_PANEL.inset(PADDING, 27, 316, 66), 17, WARNING, lines=3
        )
    else:
        canvas.text("Nothing found", heading, SMALL_PX, QUIET)
        canvas.text("No white cell", large, 24, TEXT)
        canvas.text("move to another field", below, SMALL_PX, QUIET)


def _draw_bars(canvas: Canvas, finding: Finding | None) -> None:
    """Show each class's probability; dimmed when the field is refused, empty where nothing was classified."""
    for row, each in enumerate(FIELD_CLASSES):
        share = finding.probabilities.get(each.name) if finding else None
        if finding is None or share is None:
            continue
        refused = finding.label is None
        canvas.fill(_bar(row, share), _dimmed(each.colour) if refused else each.colour)
        ink = QUIET if refused else TEXT
        canvas.text(_percent(share), BARS.inset(280, 7 + 26 * row, 48, 26), SMALL_PX, ink, align="right")


def _dimmed(colour: Colour) -> Colour:
    red, green, blue = ((part + 2 * track) // 3 for part, track in zip(colour, TRACK, strict=True))
    return red, green, blue


def _percent(share: float) -> str:
    """Return a share in whole per cent, never 100 for less than 1 nor 0 for more than 0."""
    if 0.995 <= share < 1:
        return ">99 %"
    if 0 < share < 0.005:
        return "<1 %"
    return f"{share * 100:.0f} %"


def _draw_slide(canvas: Canvas, state: ScreenState) -> None:
    """Show the open slide's name and what its accepted fields resembled."""
    name = SLIDE.inset(PADDING, 6, 316, 22)
    if state.slide is None:
        canvas.text("No slide open", name, BODY_PX, TEXT)
        hint = "Press New slide to count the fields of one slide together."
        canvas.text(hint, SLIDE.inset(PADDING, 32, 316, 40), SMALL_PX, QUIET, lines=2)
        return
    canvas.text(f"Slide {state.slide}", name, BODY_PX, TEXT)
    counts = f"{state.accepted} field{'' if state.accepted == 1 else 's'} accepted, {state.refused} refused"
    canvas.text(counts, SLIDE.inset(PADDING, 30, 316, 18), SMALL_PX, QUIET)
    canvas.fill(SLIDE.inset(PADDING, 54, 316, 14), TRACK)
    x = 0.0
    for column, each in enumerate(FIELD_CLASSES):
        share = state.shares.get(each.name, 0.0)
        left, right = round(x * 316), round((x + share) * 316)
        canvas.fill(SLIDE.inset(PADDING + left, 54, right - left, 14), each.colour)
        x += share
        legend = SLIDE.inset(PADDING + 79 * column, 76, 76, 18)
        canvas.text(each.name, legend, SMALL_PX, each.colour)
        canvas.text(_percent(share), SLIDE.inset(PADDING + 79 * column, 95, 76, 20), BODY_PX, TEXT)


def _draw_state(canvas: Canvas, state: ScreenState) -> None:
    """Show cells and timing, camera and model."""
    finding = state.finding
    facts = "no field examined"
    if finding is not None:
        count = len(finding.cells)
        total_ms = finding.timing_ms.get("total", sum(finding.timing_ms.values()))
        facts = f"{count} white cell{'' if count == 1 else 's'}, {total_ms:.0f} ms"
    for row, (text, colour) in enumerate(
        [(facts, TEXT), (f"Camera {state.camera or 'none'}", QUIET), (f"Model {state.model or 'none'}", QUIET)]
    ):
        canvas.text(text, STATE.inset(PADDING, 3 + 18 * row, 316, 18), SMALL_PX, colour)
