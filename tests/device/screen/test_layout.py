"""The live page: against golden pictures, every text in every state at every size, and what must hold for any state."""

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from device.screen.arrangement import arrange, workable
from device.screen.drawing.boxes import Box
from device.screen.drawing.canvas import Canvas, Written
from device.screen.drawing.themes import CONTRAST, DARK, THEMES, Theme
from device.screen.drawing.widgets import LINE_STYLES, bar
from device.screen.layout import ScreenState
from device.screen.navigation.composition import Composed, Overlay
from device.screen.navigation.composition import compose as compose_page
from device.screen.pages.live import LivePage
from smear.classes import FIELD_CLASSES, LABELS, by_name
from smear.findings import Frame, Refusal, RefusalCode
from smear.images import read_image, write_image
from smear.inference.overlay import UNCLASSIFIED
from smear.site import SiteStatus
from tests.device.screen.readable import unreadable
from tests.device.screen.states import NORMAL, OTHER_REFUSALS, SIZES, STATES, make_cells, make_finding, make_frame
from tests.golden import LOCAL_DIFFERENCE, largest_local_difference

GOLDEN = Path(__file__).parent / "golden"
PICTURES = {f"{name}": (state, (800, 480), "dark") for name, state in STATES.items()} | {
    f"{width}x{height}-{theme}": (STATES[name], (width, height), theme)
    for width, height in SIZES
    for theme, name in zip(THEMES, ("labelled", "refused-scale", "not-cleared"), strict=True)
}
PLACES = arrange((800, 480))


def composed(
    state: ScreenState, size: tuple[int, int] = (800, 480), theme: Theme = DARK, dots_per_inch: float | None = None
) -> Composed:
    return compose_page(LivePage(), state, size, theme, dots_per_inch)


def compose(state: ScreenState, size: tuple[int, int] = (800, 480), theme: Theme = DARK) -> np.ndarray:
    return composed(state, size, theme).canvas.pixels


def written(
    state: ScreenState, size: tuple[int, int] = (800, 480), dots_per_inch: float | None = None
) -> list[Written]:
    return composed(state, size, DARK, dots_per_inch).canvas.written


def part(screen: np.ndarray, box: Box) -> np.ndarray:
    return screen[box.y : box.y + box.height, box.x : box.x + box.width]


def has(screen: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((screen == colour).all(axis=2).sum())


@pytest.mark.parametrize("name", PICTURES)
def test_the_screen_is_as_it_was_looked_at(name: str, tmp_path: Path) -> None:
    state, size, theme = PICTURES[name]
    screen = compose(state, size, THEMES[theme])
    if os.environ.get("SMEARSCOPE_WRITE_GOLDEN"):  # then look at them; 256 colours are a third of the bytes
        few = Image.fromarray(screen).quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.save(GOLDEN / f"screen-{name}.png", optimize=True)
    write_image(tmp_path / f"screen-{name}.png", screen)
    difference = largest_local_difference(screen, read_image(GOLDEN / f"screen-{name}.png"))
    assert difference <= LOCAL_DIFFERENCE, f"compare tests/device/screen/golden with {tmp_path}"


@pytest.mark.parametrize(
    "change",
    [
        {"accepted": 39},
        {"slide": "S-0043"},
        {"simulated": True},
        {"warnings": ("low disk",)},
        {"finding": make_finding("Early")},
        {"shares": {name: NORMAL.shares["Early" if name == "Pro" else name] for name in LABELS}},
    ],
)
def test_the_golden_tolerance_is_tighter_than_any_change_of_meaning(change: dict[str, object]) -> None:
    changed = compose(replace(NORMAL, **change))  # type: ignore[arg-type]
    assert largest_local_difference(compose(NORMAL), changed) > LOCAL_DIFFERENCE


@pytest.mark.parametrize("dots_per_inch", [None, 92.0])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", STATES)
def test_every_text_is_whole_and_none_lies_on_another(
    name: str, size: tuple[int, int], dots_per_inch: float | None
) -> None:
    assert unreadable(written(STATES[name], size, dots_per_inch)) == []


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("sentence", OTHER_REFUSALS)
def test_the_sentence_of_every_refusal_is_whole(sentence: str, size: tuple[int, int]) -> None:
    refused = replace(NORMAL, finding=make_finding(None, (Refusal(RefusalCode.OTHER, sentence),)))
    assert [each.text for each in written(refused, size) if not each.whole] == []


@pytest.mark.parametrize("size", SIZES)
def test_of_several_refusals_those_without_room_are_counted(size: tuple[int, int]) -> None:
    several = tuple(Refusal(RefusalCode.OTHER, sentence) for sentence in OTHER_REFUSALS)
    found = written(replace(NORMAL, finding=make_finding(None, several)), size)
    assert [len(each.boxes) > 1 for each in found if not each.whole] == [True], "whole sentences, and how many more"


@pytest.mark.parametrize("size", [*SIZES, (3840, 2160), (320, 1200), workable((240, 240)), workable((320, 200))])
def test_no_part_lies_on_another_and_all_are_on_the_screen(size: tuple[int, int]) -> None:
    taken = np.zeros((size[1], size[0]), np.uint8)
    for box in (boxes := list(arrange(size))):
        part(taken[..., np.newaxis], box)[:] += 1
    assert taken.max() == 1
    assert sum(box.width * box.height for box in boxes) == taken.sum()
    assert compose(NORMAL, size).shape == (size[1], size[0], 3)


def test_text_has_its_points_where_the_screen_says_how_fine_it_is() -> None:
    assert arrange((1920, 1080), dots_per_inch=92).text_px == 15  # 12 point
    assert arrange((800, 480), dots_per_inch=400).text_px == PLACES.text_px, "but never more than there is room for"


def test_compose_is_pure() -> None:
    frame = make_frame()
    before = frame.image.copy()
    first = compose(state := replace(NORMAL, frame=frame))
    first_again = compose(state)
    np.testing.assert_array_equal(first, first_again)
    np.testing.assert_array_equal(frame.image, before)
    noticed = compose_page(LivePage(), state, overlay=Overlay(notice="slide ended")).canvas.pixels
    changed = (noticed != first).any(axis=2)
    part(changed, PLACES.notices)[:] = part(changed, PLACES.about)[:] = False
    edge = PLACES.notices.x + PLACES.notices.width
    changed[PLACES.about.y : PLACES.about.y + PLACES.about.height, edge : PLACES.about.x] = False
    assert not changed.any()


@pytest.mark.parametrize("shape", [(32, 3000), (3000, 32), (224, 224), (1520, 2028)])
def test_a_field_of_any_shape_stays_inside_its_box(shape: tuple[int, int]) -> None:
    frame = Frame(np.full((*shape, 3), 255, np.uint8), "x")
    screens = [compose(replace(NORMAL, frame=each, finding=None)) for each in (frame, None)]
    for each in screens:
        for box in (PLACES.picture, PLACES.buttons):  # some are lit only when there is a field
            part(each, box)[:] = 0
    np.testing.assert_array_equal(*screens)


def test_a_cell_is_outlined_in_the_colour_of_its_class_and_its_nucleus_apart() -> None:
    for each in FIELD_CLASSES:
        assert has(part(compose(NORMAL), PLACES.picture), each.colour) > 50, each.name
    refused = part(compose(STATES["refused-scale"]), PLACES.picture)
    assert [has(refused, each.colour) for each in FIELD_CLASSES] == [0] * 4, "no label, and so no class"
    assert has(refused, UNCLASSIFIED) > 200
    assert has(refused, (255, 255, 0)) > 200


def test_classes_differ_by_letter_and_line_too() -> None:
    assert len({each.letter for each in FIELD_CLASSES}) == len(set(LINE_STYLES)) == len(FIELD_CLASSES)
    letters = [each.text for each in written(NORMAL) if len(each.text) == 1]
    assert all(letters.count(each.letter) >= 3 for each in FIELD_CLASSES), "in the picture, its legend and the bars"


def test_the_scale_bar_is_as_long_as_it_says() -> None:
    state = replace(NORMAL, frame=Frame(np.full((480, 640, 3), 255, np.uint8), "x", 0.25), finding=None)
    assert "20 µm" in {each.text for each in written(state)}
    left = part(compose(state), PLACES.legend)[:, : 6 * PLACES.text_px]  # without the text beside it
    bar_px = (left == DARK.text).all(axis=2).sum(axis=1).max()
    assert bar_px == pytest.approx(20 / 0.25 * PLACES.picture.height / 480, abs=2)
    unknown = replace(state, frame=Frame(np.full((480, 640, 3), 255, np.uint8), "x"))
    assert "no scale" in {each.text for each in written(unknown)}


@pytest.mark.parametrize("label", LABELS)
def test_a_bar_is_as_long_as_its_share(label: str) -> None:
    canvas = Canvas((120, 20), DARK)
    bar(canvas, Box(10, 2, 100, 16), share := make_finding().probabilities[label], by_name(label).colour)
    assert has(canvas.pixels[10:11], by_name(label).colour) == pytest.approx(share * 100, abs=1)


def test_a_refused_field_shows_no_class_in_full_colour_beside_its_reason() -> None:
    rows = PLACES.classes.columns((7, 13))[1]  # without the letters
    assert not any(has(part(compose(STATES["refused-scale"]), rows), each.colour) for each in FIELD_CLASSES)


def contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """Return the contrast ratio of WCAG 2.1."""

    def luminance(colour: tuple[int, int, int]) -> float:
        linear = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_every_text_can_be_read(theme: Theme) -> None:
    least = 7.0 if theme is CONTRAST else 4.5  # WCAG 2.1, levels AAA and AA
    for ink, grounds in (
        (theme.text, (theme.panel, theme.track)),
        (theme.quiet, (theme.panel,)),
        (theme.warning, (theme.panel, theme.background)),
    ):
        assert all(contrast(ink, ground) >= least for ground in grounds), ink


@given(name=st.text(max_size=60), warning=st.text(max_size=200))
@settings(max_examples=30, deadline=None)
def test_no_name_or_warning_writes_outside_its_box(name: str, warning: str) -> None:
    state = ScreenState(slide=name, camera=name, model=name, warnings=(warning,))
    changed = (compose(state) != compose(ScreenState(slide=""))).any(axis=2)
    for box in (PLACES.notices, PLACES.slide, PLACES.state):
        part(changed, box)[:] = False
    assert not changed.any()


@pytest.mark.parametrize(("size", "limit_ms"), [((800, 480), 12), ((1920, 1080), 20)])
def test_a_screen_with_300_cells_is_composed_in_time(size: tuple[int, int], limit_ms: float) -> None:
    state = replace(NORMAL, frame=make_frame(1280, 960), finding=replace(make_finding(), cells=make_cells(300)))
    compose(state, size)
    # The thread's own time and the best of several, so that another program on the machine does not decide.
    times_ms = []
    for _ in range(10):
        started = time.thread_time()
        compose(state, size)
        times_ms.append((time.thread_time() - started) * 1000)
    assert min(times_ms) < limit_ms


def test_a_label_that_was_not_checked_at_this_site_is_marked_beside_it() -> None:
    checked = replace(make_finding("Pre"), site=SiteStatus("20260101T000000Z-00000000", ""))
    unchecked = replace(checked, site=SiteStatus())
    screens = [compose(ScreenState(frame=make_frame(), finding=each)) for each in (checked, unchecked)]
    assert [has(part(each, PLACES.verdict), DARK.warning) > 0 for each in screens] == [False, True]


def test_a_device_that_is_not_cleared_today_says_so_in_its_header() -> None:
    screens = [compose(replace(NORMAL, not_cleared=each)) for each in (False, True)]
    assert [has(part(each, PLACES.header), DARK.warning) > 0 for each in screens] == [False, True]
