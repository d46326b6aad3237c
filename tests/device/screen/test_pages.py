"""Every page: its golden pictures, texts that can be read, and controls that a finger and keys can reach."""

import os
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from device.screen.arrangement import arrange
from device.screen.drawing.themes import DARK, THEMES
from device.screen.navigation.composition import Overlay, compose
from device.screen.navigation.navigator import moved
from device.screen.pages.live import LivePage
from smear.images import write_image
from tests.device.screen.page_states import EMPTY, PAGES
from tests.device.screen.readable import unreadable
from tests.device.screen.states import NORMAL, SIZES
from tests.golden import LOCAL_DIFFERENCE, largest_local_difference

GOLDEN = Path(__file__).parent / "golden" / "pages"
COLOURS = 128  # of each golden picture: a third of the bytes; 5 of LOCAL_DIFFERENCE
EVERY = {"live": (LivePage(), NORMAL)} | PAGES | {f"other {name}": each for name, each in EMPTY.items()}
every_page = pytest.mark.parametrize("name", EVERY)
every_size = pytest.mark.parametrize("size", SIZES)


@pytest.mark.parametrize("theme", THEMES)
@every_size
@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_as_it_was_looked_at(name: str, size: tuple[int, int], theme: str, tmp_path: Path) -> None:
    screen = compose(*PAGES[name], size, THEMES[theme]).canvas.pixels
    file = f"{name}-{size[0]}x{size[1]}-{theme}.png"
    if os.environ.get("SMEARSCOPE_WRITE_GOLDEN"):  # then look at them before they are committed
        few = Image.fromarray(screen).quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.save(GOLDEN / file, optimize=True)
    write_image(tmp_path / file, screen)
    with Image.open(GOLDEN / file) as golden:  # not `read_image`, to which a page in greys is no field
        difference = largest_local_difference(screen, np.asarray(golden.convert("RGB")))
    assert difference <= LOCAL_DIFFERENCE, f"compare tests/device/screen/golden/pages with {tmp_path}"


@pytest.mark.parametrize("dots_per_inch", [None, 92.0])
@every_size
@every_page
def test_every_text_of_a_page_is_whole_and_none_lies_on_another(
    name: str, size: tuple[int, int], dots_per_inch: float | None
) -> None:
    assert unreadable(compose(*EVERY[name], size, DARK, dots_per_inch).canvas.written) == []


@pytest.mark.parametrize("dots_per_inch", [None, 92.0])
@every_size
@every_page
def test_every_control_is_large_enough_for_a_finger_and_lies_on_no_other(
    name: str, size: tuple[int, int], dots_per_inch: float | None
) -> None:
    places, controls = arrange(size, dots_per_inch), compose(*EVERY[name], size, DARK, dots_per_inch).controls
    boxes = [each.box for each in controls]
    assert [each for each in controls if min(each.box.width, each.box.height) < 2.9 * places.text_px] == []
    assert all(box.x >= 0 and box.x + box.width <= size[0] for box in boxes)
    assert all(box.y >= places.header.height and box.y + box.height <= places.footer.y for box in boxes)
    for a, b in combinations(boxes, 2):
        assert a.x + a.width <= b.x or b.x + b.width <= a.x or a.y + a.height <= b.y or b.y + b.height <= a.y, (a, b)


@every_page
def test_every_control_can_be_reached_by_keys(name: str) -> None:
    controls = compose(*EVERY[name]).controls
    keys = [each.key for each in controls if each.key]
    assert len(keys) == len(set(keys)), "two controls have one key"
    reached, focus = set(), None
    for _ in controls:
        focus = moved(controls, focus, "tab")
        reached.add(focus)
    able = {number for number, each in enumerate(controls) if each.usable and each.focusable}
    assert able <= reached


@every_page
def test_drawing_a_page_is_pure(name: str) -> None:
    first, again = compose(*EVERY[name]).canvas.pixels, compose(*EVERY[name]).canvas.pixels
    np.testing.assert_array_equal(first, again)


@every_size
@every_page
def test_a_long_notice_is_whole_on_every_page(name: str, size: tuple[int, int]) -> None:
    notice = "cannot store the field: no space left on the device; delete records, or set store.folder to another disk"
    written = compose(*EVERY[name], size, overlay=Overlay(0, notice)).canvas.written
    assert unreadable(written) == []
    assert notice in {each.text for each in written}
