"""Cells found on a coarser grid than the picture: their contours at model scale and in the frame."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smear.imaging.cell_detection import find_cells
from smear.imaging.contours import log_odds, mask_values
from smear.imaging.resampling import ModelFrame, stride_of, to_frame_scale, to_model_scale
from smear.imaging.tiling import stitch, tile, tile_origins, whole_strides

STRIDE = 2
TOLERANCE = 1e-4  # share of pixels that rounding may put on the other side of a contour


def on_grid(view: ModelFrame, *circles: tuple[float, float, float]) -> np.ndarray:
    """Float32 (h, w, 3) of discs given in model pixels as x, y, radius, their nuclei half as wide, soft at the edge."""
    height, width = (-(-side // STRIDE) for side in view.pixels.shape[:2])
    y, x = (np.mgrid[0:height, 0:width] + 0.5) * STRIDE - 0.5
    inside = np.full((height, width), -9.0)
    nuclear = np.full((height, width), -9.0)
    for cx, cy, radius in circles:
        away = np.hypot(x - cx, y - cy)
        inside, nuclear = np.maximum(inside, radius - away), np.maximum(nuclear, radius / 2 - away)
    cell, nucleus = (1 / (1 + np.exp(-values)) for values in (inside, nuclear))
    return np.stack([1 - cell, cell * (1 - nucleus), cell * nucleus], axis=-1).astype(np.float32)


circles = st.lists(st.tuples(st.floats(0, 400), st.floats(0, 300), st.floats(6, 16)), max_size=12)
sizes = st.tuples(st.integers(150, 700), st.integers(150, 700))


@settings(deadline=None, max_examples=25)
@given(circles, sizes, st.sampled_from([None, 0.25, 0.31, 0.5, 0.8]))
def test_contours_worked_out_around_cells_alone_equal_those_of_the_whole_field(
    drawn: list[tuple[float, float, float]], size: tuple[int, int], pixel_size_um: float | None
) -> None:
    view = to_model_scale(np.zeros((*size, 3), np.uint8), pixel_size_um)
    detection = find_cells(on_grid(view, *drawn), view)
    height, width = view.pixels.shape[:2]
    fine = cv2.resize(detection.contours.background, None, fx=STRIDE, fy=STRIDE, interpolation=cv2.INTER_LINEAR)
    assert np.count_nonzero(detection.cell != (fine[:height, :width] < 0)) <= TOLERANCE * detection.cell.size
    planes = [
        to_frame_scale(p[..., np.newaxis], view)[..., 0]
        for p in (detection.contours.background, detection.contours.nucleus)
    ]
    framed = detection.contours.in_frame(detection.boxes, view).values
    assert framed.shape == view.frame_shape
    assert np.count_nonzero(framed != mask_values(*planes)) <= TOLERANCE * framed.size


def test_a_cell_found_on_half_the_grid_is_measured_in_the_frame() -> None:
    view = to_model_scale(np.zeros((600, 800, 3), np.uint8), 0.25)
    (found,) = find_cells(on_grid(view, (101.3, 87.6, 12.0)), view, 0.25).cells
    assert found.cell.centroid == pytest.approx((203.1, 175.7), abs=0.4)
    assert found.cell.area_px == pytest.approx(np.pi * 24**2, rel=0.03)
    assert found.cell.area_um2 == pytest.approx(np.pi * 6**2, rel=0.03)
    assert found.cell.nc_ratio == pytest.approx(0.25, abs=0.06)
    assert found.cell.circularity > 0.9
    assert not found.cell.touches_edge


def test_an_empty_field_has_no_cells() -> None:
    view = to_model_scale(np.zeros((224, 224, 3), np.uint8))
    detection = find_cells(on_grid(view), view)
    assert detection.cells == []
    assert not detection.cell.any()
    assert not detection.contours.in_frame(detection.boxes, view).values.any()


@settings(deadline=None, max_examples=25)
@given(st.integers(224, 700), st.integers(224, 700))
def test_tiles_of_a_coarse_grid_are_stitched_where_they_were_cut(height: int, width: int) -> None:
    pixels = whole_strides(np.dstack(np.mgrid[0:height, 0:width]).astype(np.float32), STRIDE)
    high, wide = pixels.shape[:2]
    origins = tile_origins(high, wide, stride=STRIDE)
    assert not (np.array(origins) % STRIDE).any()
    maps = [tile(pixels, origin)[::STRIDE, ::STRIDE] for origin in origins]
    assert np.allclose(stitch(maps, origins, (high, wide), STRIDE), pixels[::STRIDE, ::STRIDE], atol=1e-3)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 900), st.integers(1, 900), st.sampled_from([None, 0.2, 0.31, 0.5, 1.0]))
def test_a_map_on_a_coarse_grid_comes_back_in_the_frames_size_and_position(
    height: int, width: int, pixel_size_um: float | None
) -> None:
    view = to_model_scale(np.zeros((height, width, 3), np.uint8), pixel_size_um)
    high, wide = (-(-side // STRIDE) for side in view.pixels.shape[:2])
    ramp = np.broadcast_to((np.arange(wide, dtype=np.float32) + 0.5) * STRIDE - 0.5, (high, wide))[..., np.newaxis]
    assert stride_of(ramp, view) == STRIDE
    back = to_frame_scale(ramp, view)[..., 0]
    assert back.shape == (height, width)
    model_x = (np.arange(width) + 0.5) * (view.content[0] / width) - 0.5 + view.offset[0]
    assert np.abs(back - model_x).max() <= STRIDE  # at the edge nothing lies beyond the outermost grid point


def test_log_odds_are_bounded_and_0_at_a_half() -> None:
    assert log_odds(np.array([[0.0, 0.5, 1.0]], np.float32)).ravel().tolist() == pytest.approx([-9, 0, 9], abs=1e-2)
