"""The rim of an eyepiece: found, whatever its colour and place, and no part of anything that is measured."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smear.bundle.folder import load_bundle
from smear.classes import LABELS
from smear.findings import Frame, RefusalCode
from smear.imaging.field_of_view import find_rim, without_rim
from smear.imaging.resampling import to_model_scale
from smear.inference.frame_processor import FrameProcessor
from smear.inference.pipeline import Pipeline
from smear.synthetic import blank, red_cells_only, render

SIDE = 360


@pytest.fixture(scope="module")
def processor(tiny_bundle: Path):  # type: ignore[no-untyped-def]
    opened = FrameProcessor(Pipeline(load_bundle(tiny_bundle), "float32"))
    yield opened
    opened.close()


def through_eyepiece(
    image: np.ndarray, radius: float, middle: tuple[float, float] | None = None, rim: int = 8, blur: float = 3.0
) -> tuple[np.ndarray, np.ndarray]:
    """The picture with a disc of `radius` pixels left of it, its edge soft, and bool (h, w) of the disc."""
    height, width = image.shape[:2]
    x, y = middle or (width / 2, height / 2)
    rows, columns = np.mgrid[0:height, 0:width]
    disc = np.hypot(columns - x, rows - y) <= radius
    share = cv2.GaussianBlur(disc.astype(np.float32), (0, 0), blur)[..., np.newaxis]
    return (image * share + rim * (1 - share)).astype(np.uint8), disc


def drawn(seed: int = 3) -> np.ndarray:
    return (render("Pre", seed, (SIDE, SIDE), cells=14).image * 0.93).astype(np.uint8)


DRAWN = drawn()
rims = st.tuples(st.floats(0.36, 0.58), st.floats(-0.1, 0.1), st.floats(-0.1, 0.1))


@settings(deadline=None, max_examples=12)
@given(rims, st.sampled_from([0, 25, 255]), st.floats(0.1, 5))
def test_a_round_rim_is_found_where_it_is(place: tuple[float, float, float], rim: int, blur: float) -> None:
    radius, right, down = place
    image, disc = through_eyepiece(DRAWN, radius * SIDE, (SIDE * (0.5 + right), SIDE * (0.5 + down)), rim, blur)
    if (~disc).mean() < 0.13:
        return
    outside = find_rim(image)
    assert outside is not None
    assert (~outside & ~disc).sum() < 0.015 * disc.size  # a line of the soft edge, less than 2 px wide
    assert (outside & disc).sum() < 0.16 * disc.sum()  # and of the field only the shoulder is lost


@pytest.mark.parametrize("bars", [(40, 40, 0, 0), (0, 0, 30, 60), (50, 0, 0, 0)])
def test_black_bars_are_a_rim_too(bars: tuple[int, int, int, int]) -> None:
    outside = find_rim(cv2.copyMakeBorder(drawn(), *bars, cv2.BORDER_CONSTANT, value=(0, 0, 0)))
    assert outside is not None
    top, bottom, left, right = bars
    inner = outside[top : outside.shape[0] - bottom, left : outside.shape[1] - right]
    assert outside.sum() - inner.sum() == outside.size - inner.size
    assert inner.mean() < 0.1


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("scale_bar", [True, False])
def test_a_field_without_a_rim_has_none(label: str, scale_bar: bool) -> None:
    image = render(label, 2, scale_bar=scale_bar).image
    assert find_rim(image) is None
    assert find_rim(np.minimum(image.astype(int) * 1.4, 255).astype(np.uint8)) is None  # overexposed glass is white
    view = to_model_scale(image)
    assert without_rim(view) is view


@pytest.mark.parametrize("value", [0, 255])
def test_a_picture_that_is_all_rim_has_none(value: int) -> None:
    assert find_rim(np.full((200, 300, 3), value, np.uint8)) is None
    lone = np.full((224, 224, 3), value, np.uint8)
    cv2.circle(lone, (112, 112), 45, (120, 60, 160), cv2.FILLED)  # one cell cut out is no field of view
    assert find_rim(lone) is None


def test_what_lies_outside_is_painted_as_background() -> None:
    image, disc = through_eyepiece(blank(3, (SIDE, SIDE)).image, 150)
    view = without_rim(to_model_scale(image, 0.5))
    assert view.outside is not None
    assert (view.pixels[~disc].min(axis=1) > 150).all()
    assert (view.pixels[~view.outside] == image[~view.outside]).all()


@pytest.mark.parametrize("rim", [4, 255])
def test_no_cell_lies_on_the_rim_and_the_others_stay(processor: FrameProcessor, rim: int) -> None:
    image = drawn(5)
    whole = processor.examine(Frame(image, "drawn", 0.5))
    seen, disc = through_eyepiece(image, 150, rim=rim)
    finding = processor.examine(Frame(seen, "drawn", 0.5))
    assert not finding.mask.cell[~disc].any()
    assert finding.cells
    inner = [cell for cell in whole.cells if np.hypot(*(np.array(cell.centroid) - SIDE / 2)) < 125]
    for cell in inner:
        assert min(np.hypot(*(np.array(cell.centroid) - other.centroid)) for other in finding.cells) < 2
    assert finding.quality.brightness == pytest.approx(whole.quality.brightness, abs=0.03)
    assert RefusalCode.TOO_DARK not in {refusal.code for refusal in finding.refusals}


def test_a_cell_that_the_rim_cuts_touches_the_edge(processor: FrameProcessor) -> None:
    image = np.full((SIDE, SIDE, 3), 225, np.uint8)
    for x in (180, 325):
        cv2.circle(image, (x, 180), 14, (110, 60, 170), cv2.FILLED)
    seen, _ = through_eyepiece(image, 150, blur=0.5)
    cells = sorted(processor.examine(Frame(seen, "drawn", 0.5)).cells, key=lambda cell: cell.centroid)
    assert [cell.touches_edge for cell in cells] == [False, True]


def test_a_field_of_view_without_glass_is_refused(processor: FrameProcessor) -> None:
    tissue = np.full((SIDE, SIDE, 3), (190, 120, 170), np.uint8)
    seen, _ = through_eyepiece(tissue, 150)
    codes = {refusal.code for refusal in processor.examine(Frame(seen, "drawn", 0.5)).refusals}
    assert RefusalCode.TINTED_BACKGROUND in codes


def test_the_scale_is_read_inside_the_field_of_view(processor: FrameProcessor) -> None:
    seen, _ = through_eyepiece(red_cells_only(3, (SIDE, SIDE)).image, 150)
    for typed, refused in ((0.5, False), (0.9, True)):
        finding = processor.examine(Frame(seen, "drawn", typed))
        assert (RefusalCode.SCALE_DISAGREES in {refusal.code for refusal in finding.refusals}) == refused
