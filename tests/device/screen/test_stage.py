"""A stage that moves while inference is slow: outlines lie on their cells, or are faded, or are not drawn."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

import cv2
import numpy as np
import pytest

from device.screen.arrangement import arrange
from device.screen.drawing.canvas import Canvas
from device.screen.drawing.themes import DARK
from device.screen.field_picture import HERE, Placement, draw_field, fitted
from device.screen.live_picture import FRESH_S, opacity_at
from device.screen.live_screen import LiveScreen
from device.screen.no_display import NoDisplay
from device.screen.patient_display import PatientDisplay
from device.screen.stage_tracker import Shift, StageTracker, small_grey
from device.session.active_faults import ActiveFaults
from device.session.results import Examined
from device.store.recorder import Recorded
from device.store.slide_summary import SlideTally
from device.system.clock import ManualClock
from device.system.systemd import Journal
from smear.findings import CYTOPLASM, Cell, CellMask, Finding, Frame
from smear.synthetic import SyntheticSlide
from tests.device.findings import finding

SHAPE = (480, 640)
UM = 0.25
AREA = arrange((800, 480)).picture
SHOWN = fitted(AREA, SHAPE[1], SHAPE[0])
INFERENCE_S = 1 / 3
MOST_PX = 3.0  # that an outline which is not faded may lie beside its cell
Way = Callable[[float], tuple[float, float]]


@cache
def slide() -> np.ndarray:
    """A piece of a slide of 2400x1500 pixels."""
    return SyntheticSlide("Pre", 3, UM).field_at(0, 0, (1500, 2400), noise=0.0).image


@cache
def noise() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 4, (*SHAPE, 3)).astype(np.int16)


def seen_at(x: float, y: float, number: int, monotonic_s: float, blur_px: int = 0) -> Frame:
    """What the camera sees with the stage at x, y pixels: to a fraction of one, with its noise."""
    matrix = np.array([[1, 0, -x], [0, 1, -y]], float)
    image = cv2.warpAffine(slide(), matrix, SHAPE[::-1], flags=cv2.INTER_LINEAR)
    if blur_px > 1:
        image = cv2.blur(image, (blur_px, 1))
    image = cv2.add(image, np.roll(noise(), 977 * number), dtype=cv2.CV_8U)
    return Frame(np.asarray(image, np.uint8), "stage", UM, number, monotonic_s)


def hand(t: float) -> tuple[float, float]:
    """A hand that searches: stops, moves on, turns back; up to 600 pixels a second."""
    return 700 + 300 * np.sin(2 * t) * np.sin(0.5 * t), 450 + 150 * np.sin(1.3 * t)


def jumps(t: float) -> tuple[float, float]:
    """A hand that jumps to another place every 0.7 s, and moves slowly between."""
    return (float(np.random.default_rng(int(t / 0.7)).integers(0, 1700)), 300 + 100 * (t % 0.7))


def one_cell() -> Finding:
    """A refused field with one large round cell in its middle, so that where its outline is drawn can be measured."""
    angles = np.linspace(0, 2 * np.pi, 160, endpoint=False)
    middle = np.array((SHAPE[1] / 2 - 0.5, SHAPE[0] / 2 - 0.5))
    contour = np.rint(60 * np.stack([np.cos(angles), np.sin(angles)], axis=1) + middle).astype(np.int32)
    cell = Cell((260, 180, 120, 120), (320, 240), 11310, None, 0.0, 1.0, contour, False)
    return replace(finding(None), cells=(cell,), mask=CellMask(np.full(SHAPE, CYTOPLASM, np.uint8)))


class Glass(NoDisplay):
    """A display that is fast enough for thirty pictures a second, and counts them."""

    fluid = True
    pictures = 0

    def show(self, screen: np.ndarray) -> None:
        self.pictures += 1
        self.last = screen.copy()


class Source:
    name, simulated, stepped = "stage:", False, False


@dataclass(frozen=True)
class Drawn:
    """One picture on the screen."""

    opacity: float  # 0: no outline is drawn
    off_px: float | None  # how far the outline lies from its cell; None: it is not wholly in the picture
    overlap: float  # share of the examined field that is truly in the picture
    moved_on: bool


def walked(way: Way, seconds: float, blur: bool = False) -> Iterator[Drawn]:
    """Move the stage with 30 frames a second and one result each `INFERENCE_S`, and measure each picture."""
    display, clock, faults, found = Glass(), ManualClock(100.0), ActiveFaults(Journal({})), one_cell()
    shown = PatientDisplay(lambda: display, faults, clock)
    shown.open_first()
    live = LiveScreen(shown, clock, faults, Source(), lambda action, request: None, lost_after_s=5.0)
    examined_at, taken, count = None, None, int(seconds * 30)
    for number in range(count):
        at = way(number / 30)
        speed = abs(at[0] - way((number - 1) / 30)[0])
        frame = seen_at(*at, number, clock.monotonic_s(), int(speed / 2) if blur and speed < 80 else 0)
        if taken is not None and frame.monotonic_s - taken[0].monotonic_s >= INFERENCE_S:
            live.show(Examined(taken[0], found, Recorded("A-17", SlideTally(), 1), number))
            examined_at, taken = taken[1], None
        taken = taken or (frame, at)
        live.idle(frame, lost=False)
        if examined_at is not None:
            yield measured(display, live, (examined_at[0] - at[0], examined_at[1] - at[1]))
        clock.advance(1 / 30)
    assert display.pictures >= count - 1, "every frame of the camera is shown"


def measured(display: Glass, live: LiveScreen, moved: tuple[float, float]) -> Drawn:
    """Compare the picture on the screen with the same without outlines."""
    bare, place = Canvas((800, 480), DARK), live.state.placement
    draw_field(bare, AREA, 12, live.state.frame, None)
    rows, columns = slice(SHOWN.y, SHOWN.y + SHOWN.height), slice(SHOWN.x, SHOWN.x + SHOWN.width)
    ys, xs = np.nonzero((display.last[rows, columns] != bare.pixels[rows, columns]).any(axis=2))
    scale = SHOWN.width / SHAPE[1]
    middle = (SHAPE[1] / 2 + moved[0]) * scale - 0.5, (SHAPE[0] / 2 + moved[1]) * scale - 0.5
    overlap = max(0, 1 - abs(moved[0]) / SHAPE[1]) * max(0, 1 - abs(moved[1]) / SHAPE[0])
    if not len(ys):
        return Drawn(0.0, None, overlap, live.state.moved_on)
    cut = min(ys.min(), xs.min(), SHOWN.height - 1 - ys.max(), SHOWN.width - 1 - xs.max()) == 0
    off = np.hypot((xs.min() + xs.max()) / 2 - middle[0], (ys.min() + ys.max()) / 2 - middle[1])
    return Drawn(place.opacity, None if cut else float(off), overlap, live.state.moved_on)


@pytest.mark.parametrize(("way", "blur"), [(hand, False), (hand, True), (jumps, False)])
def test_outlines_lie_on_their_cells_while_the_stage_moves_and_three_fields_a_second_are_examined(
    way: Way, blur: bool
) -> None:
    pictures = list(walked(way, 5.0, blur))
    off = [each.off_px for each in pictures if each.opacity == 1 and each.off_px is not None]
    assert len(off) > 15
    assert max(off) <= MOST_PX
    assert all(each.opacity == 0 for each in pictures if each.overlap == 0), "never on another field"
    near = [each.opacity > 0 for each in pictures if each.overlap > 0.5]
    assert sum(near) >= 0.9 * len(near), "and they are seen"
    assert all(each.moved_on == (each.overlap < 0.5) for each in pictures if abs(each.overlap - 0.5) > 0.02)


def test_a_slow_board_draws_fewer_pictures_and_leaves_its_time_to_inference() -> None:
    clock, faults = ManualClock(100.0), ActiveFaults(Journal({}))

    class Slow(Glass):
        def show(self, screen: np.ndarray) -> None:
            super().show(screen)
            clock.advance(0.1)

    display = Slow()
    shown = PatientDisplay(lambda: display, faults, clock)
    shown.open_first()
    live = LiveScreen(shown, clock, faults, Source(), lambda action, request: None, lost_after_s=5.0)
    for number in range(60):
        clock.advance(1 / 30)
        live.idle(seen_at(100, 100, number, clock.monotonic_s()), lost=False)
    assert display.pictures * 0.1 <= (clock.monotonic_s() - 100) / 3 + 0.1


def test_outlines_fade_while_no_result_comes() -> None:
    assert opacity_at(FRESH_S, 3.0, 5.0) == 1 > opacity_at(2 * FRESH_S, 3.0, 5.0) > opacity_at(4.9, 3.0, 5.0) > 0
    assert opacity_at(2.0, 0.5, 5.0) == 1, "a slow machine has no younger ones"
    assert opacity_at(5.0, 3.0, 5.0) == opacity_at(1.1, 3.0, 1.0) == 0


def test_a_faded_outline_is_paler_and_one_of_another_field_is_not_drawn() -> None:
    frame, found = Frame(np.full((*SHAPE, 3), 255, np.uint8), "glass"), one_cell()

    def darkest(placement: Placement) -> int:
        canvas = Canvas((SHAPE[1], SHAPE[0]), DARK)
        draw_field(canvas, arrange((800, 480)).picture, 12, frame, found, placement)
        return int(canvas.pixels[SHOWN.y : SHOWN.y + SHOWN.height, SHOWN.x : SHOWN.x + SHOWN.width].min())

    assert darkest(HERE) < darkest(Placement(opacity=0.5)) < darkest(Placement(opacity=0.0)) == 255
    assert darkest(Placement(Shift(1.5, 0.0, 0.9))) == 255


def test_a_tracker_finds_a_field_again_that_left_the_picture_and_another_one_never() -> None:
    tracker = StageTracker()
    tracker.examined(small_grey(seen_at(400, 300, 0, 0.0).image), 0.0)
    there = [tracker.follow(small_grey(seen_at(400 + x, 300, x, 0.0).image), x / 1000) for x in range(0, 1000, 40)]
    assert there[0] is not None
    assert all(each is None for each in there[14:])
    back = tracker.follow(small_grey(seen_at(500, 300, 99, 0.0).image), 2.0)
    assert back is not None
    assert back.x * SHAPE[1] == pytest.approx(-100, abs=1)
    fields = [small_grey(seen_at(700 * x, 500 * y, x + 9 * y, 0.0).image) for x in range(3) for y in range(3)]
    for one, other in pairwise(fields):
        tracker.examined(one, 3.0)
        assert tracker.follow(other, 3.0) is None


@pytest.mark.parametrize("value", [0, 255])
def test_a_picture_without_anything_in_it_is_no_field(value: int) -> None:
    tracker, empty = StageTracker(), small_grey(np.full((*SHAPE, 3), value, np.uint8))
    assert tracker.follow(empty, 0.0) is None
    tracker.examined(small_grey(seen_at(0, 0, 0, 0.0).image), 0.0)
    assert tracker.follow(empty, 0.1) is None


def test_the_next_picture_of_a_moving_stage_takes_little_time() -> None:
    tracker, greys = StageTracker(), [seen_at(400 + 30 * n, 300, n, n / 30).image for n in range(12)]
    tracker.examined(small_grey(greys[0]), 0.0)
    times_ms = []
    for number, image in enumerate(greys):
        started = time.thread_time()
        tracker.follow(small_grey(image), number / 30)
        times_ms.append((time.thread_time() - started) * 1000)
    assert np.median(times_ms) < 4
