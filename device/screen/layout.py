"""What the live page shows of a session, and how it is drawn beside the page's buttons."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from types import MappingProxyType

from device.counting.share import Share
from device.quality_control.measurements import NOT_CLEARED_TODAY
from device.screen.arrangement import Places
from device.screen.drawing.boxes import Box, Colour
from device.screen.drawing.canvas import Canvas
from device.screen.drawing.widgets import bar, letter, lines
from device.screen.field_picture import HERE, Placement, draw_field, draw_legend
from device.screen.meters import LEAST_BRIGHTNESS, FocusTrend, light_advice
from device.screen.stage_tracker import HALF_MOVED
from device.session.health_worker import BoardState
from device.system.health import slowed
from smear.classes import FIELD_CLASSES, by_name
from smear.findings import Finding, Frame
from smear.site import NOT_CHECKED


@dataclass(frozen=True, slots=True, eq=False)
class ScreenState:
    """Everything that the screen shows."""

    frame: Frame | None = None  # None: no picture yet, or the camera is lost
    finding: Finding | None = None  # the last one; None: not examined yet
    placement: Placement | None = HERE  # of the finding in `frame`; None: that shows another place
    focus: FocusTrend = field(default_factory=FocusTrend)
    fields_per_s: float = 0.0
    camera: str = ""
    simulated: bool = False
    model: str = ""  # bundle, level and runtime in one line
    slide: str | None = None  # its name; None: no slide is open
    field_id: int | None = None  # the record of this field; None: it has none
    accepted: int = 0  # fields that count in the slide's tally
    refused: int = 0
    shares: Mapping[str, Share] = field(default_factory=lambda: MappingProxyType({}))  # by class name
    warnings: tuple[str, ...] = ()  # most urgent first
    not_cleared: bool = False  # the quality control of the day is asked for and not done
    qc: str = ""  # what it says where it is done; "": not asked for
    board: BoardState | None = None  # None: not read yet

    @property
    def moved_on(self) -> bool:
        """Whether the finding is of a field that is not, or less than half, in the picture."""
        placed = self.placement
        return self.finding is not None and (placed is None or placed.shift.overlap < HALF_MOVED)


def draw_live(canvas: Canvas, places: Places, state: ScreenState, *, outlines: bool = True) -> None:
    """Draw everything of the live page but its buttons; without `outlines` the picture is bare."""
    um_per_px = draw_picture(canvas, places, state, outlines)
    draw_legend(canvas, places.legend, places.text_px, state.finding if outlines else None, um_per_px)
    _draw_notices(canvas, places, state)
    _draw_verdict(canvas, places, state)
    _draw_classes(canvas, places, state)
    _draw_meters(canvas, places, state)
    _draw_slide(canvas, places, state)
    _draw_state(canvas, places, state)


def draw_picture(canvas: Canvas, places: Places, state: ScreenState, outlines: bool) -> float | None:
    """Draw the field alone; return the micrometres in a pixel of the screen."""
    theme, px, frame = canvas.theme, places.text_px, state.frame
    canvas.cover(places.picture, theme.track)
    if frame is None:
        box = places.picture.inset(px, px)
        canvas.text("No picture from the camera", box, round(1.4 * px), theme.text, theme.track, align="centre")
        return None
    finding = state.finding if outlines and state.placement is not None else None
    scale = draw_field(canvas, places.picture, px, frame, finding, state.placement or HERE)
    return frame.pixel_size_um / scale if frame.pixel_size_um else None


def _draw_notices(canvas: Canvas, places: Places, state: ScreenState) -> None:
    if state.warnings:
        theme, (first, *others) = canvas.theme, state.warnings
        canvas.text((f"! {first}", *others), places.notices, places.text_px, theme.warning, theme.background)


def _draw_verdict(canvas: Canvas, places: Places, state: ScreenState) -> None:
    """Show which class this field resembles, or why there is no label: not examined, refused, or no cell found."""
    theme, px, finding, area = canvas.theme, places.text_px, state.finding, places.verdict
    canvas.fill(area, theme.panel)
    edge, inner = Box(area.x, area.y, px // 3, area.height), area.inset(px * 2 // 3, px // 3)
    heading, large, below = inner.rows((1.3, 2.6, 1.7))
    before = state.moved_on
    strong, warning = (theme.quiet, theme.quiet) if before else (theme.text, theme.warning)
    if finding is None:
        canvas.text("This field", heading, px, theme.quiet)
        canvas.text("Not examined yet", large, round(1.6 * px), theme.quiet)
    elif finding.label is not None:
        found = by_name(finding.label)
        share = _percent(finding.probabilities.get(finding.label, 0.0))
        unchecked = finding.site is not None and not finding.site.checked
        mark = f" · {NOT_CHECKED}" if unchecked else ""
        title = "The field before" if before else "This field resembles"
        canvas.fill(edge, theme.track if before else found.colour)
        canvas.text(f"{title}{mark}", heading, px, warning if unchecked else theme.quiet)
        canvas.text(found.title, large, 2 * px, strong)
        canvas.text(f"probability {share}, for {'that' if before else 'this'} field alone", below, px, theme.quiet)
    elif finding.refusals:
        canvas.fill(edge, theme.track if before else theme.warning)
        heading, below = inner.rows((1.2, 5.0))
        title = "The field before was refused" if before else "Refused: no label for this field"
        canvas.text(title, heading, px, theme.quiet)
        canvas.text([str(each) for each in finding.refusals], below, round(1.2 * px), warning)
    else:
        canvas.text("In the field before" if before else "Nothing found", heading, px, theme.quiet)
        canvas.text("No white cell", large, round(1.6 * px), strong)
        canvas.text("" if before else "move to another field", below, px, theme.quiet)


def _draw_classes(canvas: Canvas, places: Places, state: ScreenState) -> None:
    """Show each class's probability in this field, pale when that is refused, and its share of the slide's fields."""
    theme, px, finding = canvas.theme, places.text_px, state.finding
    canvas.fill(places.classes, theme.panel)
    columns = (1.4, 5.6, 4.6, 2.9, 6.0)
    head, *rows = places.classes.inset(px // 2, px // 4).rows((1.1, 1.5, 1.5, 1.5, 1.5))
    cells = head.columns(columns, px // 3)
    field, slide = (
        Box(cells[i].x, head.y, cells[i + 1].x + cells[i + 1].width - cells[i].x, head.height) for i in (1, 3)
    )
    canvas.text("field before" if state.moved_on else "this field", field, px, theme.quiet, align="right")
    canvas.text("slide (95 % CI)", slide, px, theme.quiet, align="right")
    for each, row in zip(FIELD_CLASSES, rows, strict=True):
        mark, title, length, figure, slide = row.columns(columns, px // 3)
        letter(canvas, mark.inset(0, row.height // 8), each.letter, px, each.colour)
        canvas.text(each.title.partition(" (")[0], title, px, theme.text)
        share = finding.probabilities.get(each.name) if finding else None
        labelled = finding is not None and finding.label is not None and not state.moved_on
        colour = each.colour if labelled else _mixed(each.colour, theme.track)
        bar(canvas, length.inset(0, row.height // 4), share or 0.0, colour)
        if share is not None:
            canvas.text(_percent(share), figure, px, theme.text if labelled else theme.quiet, align="right")
        if state.accepted and state.slide is not None and each.name in state.shares:
            canvas.text(with_interval(state.shares[each.name]), slide, px, theme.text, align="right")


def _draw_meters(canvas: Canvas, places: Places, state: ScreenState) -> None:
    """Guide the hand on the fine focus and on the lamp."""
    theme, px = canvas.theme, places.text_px
    canvas.fill(places.meters, theme.panel)
    focus, light = places.meters.inset(px // 2, px // 3).rows((1, 1))
    finding = state.finding
    quality = finding.quality if finding is not None else None
    has_cells = finding is not None and bool(finding.cells)  # sharpness is measured at their rims
    for row, name, share, marks, advice in (
        (focus, "Focus", state.focus.share if has_cells else 0.0, (1.0,), state.focus.advice if has_cells else ""),
        (
            light,
            "Light",
            quality.brightness if quality else 0.0,
            (LEAST_BRIGHTNESS,),
            light_advice(quality) if quality else "",
        ),
    ):
        title, length, text = row.columns((3.4, 8, 9), px // 2)
        canvas.text(name, title, px, theme.text)
        bar(canvas, length.inset(0, row.height // 4), share if isfinite(share) else 0.0, theme.quiet, marks)
        canvas.text(advice or "not measured", text, px, theme.text if advice else theme.quiet)


def _draw_slide(canvas: Canvas, places: Places, state: ScreenState) -> None:
    """Show the open slide's name, its counts, and the quality control of the day."""
    theme, px, area = canvas.theme, places.text_px, places.slide
    canvas.fill(area, theme.panel)
    if state.slide is None:
        hint = "Press Slide to count the fields of one slide together."
        name, below = area.inset(px // 2, px // 4).rows((1.2, 2.4))
        canvas.text("No slide open", name, round(1.1 * px), theme.text)
        canvas.text(hint, below, px, theme.quiet)
        return
    counts = f"{state.accepted} field{'' if state.accepted == 1 else 's'} accepted, {state.refused} refused"
    cleared = (NOT_CLEARED_TODAY, theme.warning) if state.not_cleared else (state.qc or "not asked for", theme.quiet)
    rows = [(f"Slide {state.slide}", theme.text), (counts, theme.text), (f"Quality control: {cleared[0]}", cleared[1])]
    lines(canvas, area.inset(px // 2, px // 4), rows, px)


def _draw_state(canvas: Canvas, places: Places, state: ScreenState) -> None:
    """Show cells and timing, camera, model and board."""
    theme, px, finding = canvas.theme, places.text_px, state.finding
    canvas.fill(places.state, theme.panel)
    facts = "no field examined"
    if finding is not None:
        count = len(finding.cells)
        total_ms = finding.timing_ms.get("total", sum(finding.timing_ms.values()))
        facts = f"{count} white cell{'' if count == 1 else 's'}, {total_ms:.0f} ms"
    board, wrong = _board(state.board)
    rows = [
        (f"{facts} · camera {state.camera or 'none'}", theme.quiet),
        (f"model {state.model or 'none'}", theme.quiet),
        (board, theme.warning if wrong else theme.quiet),
    ]
    lines(canvas, places.state.inset(px // 2, px // 4), rows, px)


def _board(board: BoardState | None) -> tuple[str, bool]:
    """Return temperature, disk and clock in one line, what is wrong first, and whether anything is."""
    if board is None:
        return "board not read yet", False
    degrees, free = board.health.temperature_c, board.free_bytes
    wrong = [
        slowed(board.health.throttled),
        "disk nearly full" if board.nearly_full else "",
        "clock not set" if board.clock_set is False else "",
    ]
    well = [
        f"{degrees:.0f} °C" if degrees is not None else "",
        f"{free / 1e9:.1f} GB free" if free is not None and not board.nearly_full else "",
        "clock set" if board.clock_set else "",
    ]
    return " · ".join([*filter(None, wrong), *filter(None, well)][:3]), any(wrong)


def _mixed(colour: Colour, other: Colour) -> Colour:
    red, green, blue = ((part + 2 * track) // 3 for part, track in zip(colour, other, strict=True))
    return red, green, blue


def _percent(share: float) -> str:
    """Return a share in whole per cent, never 100 for less than 1 nor 0 for more than 0."""
    if 0.995 <= share < 1:
        return ">99 %"
    if 0 < share < 0.005:
        return "<1 %"
    return f"{share * 100:.0f} %"


def with_interval(share: Share) -> str:
    """Return a share with its 95 % interval, in per cent."""
    return f"{_percent(share.share)} ({share.low * 100:.0f}–{share.high * 100:.0f})"
