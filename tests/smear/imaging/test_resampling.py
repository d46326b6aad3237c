"""Pixels to tensors and back: nothing is lost or moved."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smear.errors import ImageError
from smear.imaging.masking import (
    CROP_SIZE,
    NEUTRAL,
    SCALE_BAR_BOX,
    crop_cell,
    on_neutral_background,
    scale_bar_box,
    without_scale_bar,
)
from smear.imaging.resampling import (
    FIELD_SIZE,
    MODEL_PIXEL_SIZE_UM,
    grid_positions,
    to_frame_scale,
    to_model_scale,
    to_tensor,
)
from smear.imaging.tiling import TILE_OVERLAP, stitch, tile, tile_origins

SIDE = st.integers(FIELD_SIZE, 1200)
PIXEL_SIZE = st.one_of(st.none(), st.floats(0.1, 2.0))


def field(height: int, width: int) -> np.ndarray:
    """Smooth ramps, so that resampling has something to keep."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([255 * x / width, 255 * y / height, np.full(x.shape, 200.0)], axis=-1).astype(np.uint8)


@given(SIDE, SIDE)
def test_tiles_cover_every_pixel_and_stay_inside(height: int, width: int) -> None:
    seen = np.zeros((height, width), bool)
    for x, y in tile_origins(height, width):
        assert 0 <= x <= width - FIELD_SIZE
        assert 0 <= y <= height - FIELD_SIZE
        seen[y : y + FIELD_SIZE, x : x + FIELD_SIZE] = True
    assert seen.all()


@given(SIDE, SIDE)
def test_neighbouring_tiles_overlap_by_more_than_a_cell(height: int, width: int) -> None:
    origins = tile_origins(height, width)
    for values in ({x for x, _ in origins}, {y for _, y in origins}):
        steps = np.diff(sorted(values))
        assert (FIELD_SIZE - steps >= TILE_OVERLAP - 1).all()  # - 1: evenly spread origins are rounded


@given(SIDE, SIDE)
def test_fewer_tiles_would_not_cover_the_picture(height: int, width: int) -> None:
    def fewest(length: int) -> int:
        return next(n for n in range(1, 99) if n * FIELD_SIZE - (n - 1) * TILE_OVERLAP >= length)

    assert len(tile_origins(height, width)) == fewest(height) * fewest(width)


@settings(deadline=None, max_examples=25)
@given(st.integers(FIELD_SIZE, 700), st.integers(FIELD_SIZE, 700), st.floats(0, 1))
def test_stitching_a_constant_gives_that_constant(height: int, width: int, value: float) -> None:
    origins = tile_origins(height, width)
    tiles = [np.full((FIELD_SIZE, FIELD_SIZE, 3), value, np.float32) for _ in origins]
    joined = stitch(tiles, origins, (height, width))
    assert joined.shape == (height, width, 3)
    assert np.allclose(joined, value, atol=1e-5)


@settings(deadline=None, max_examples=25)
@given(st.integers(FIELD_SIZE, 700), st.integers(FIELD_SIZE, 700))
def test_cutting_and_stitching_gives_the_picture_back(height: int, width: int) -> None:
    values = field(height, width).astype(np.float32) / 255
    origins = tile_origins(height, width)
    assert np.allclose(stitch([tile(values, o) for o in origins], origins, (height, width)), values, atol=1e-5)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 900), st.integers(1, 900), PIXEL_SIZE)
def test_a_map_at_model_scale_comes_back_in_the_frames_size(
    height: int, width: int, pixel_size_um: float | None
) -> None:
    view = to_model_scale(field(height, width), pixel_size_um)
    assert min(view.pixels.shape[:2]) >= FIELD_SIZE
    back = to_frame_scale(np.ones((*view.pixels.shape[:2], 3), np.float32), view)
    assert back.shape == (height, width, 3)
    assert np.allclose(back, 1)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 900), st.integers(1, 900), PIXEL_SIZE)
def test_the_whole_frame_lies_inside_the_view(height: int, width: int, pixel_size_um: float | None) -> None:
    view = to_model_scale(field(height, width), pixel_size_um)
    (left, top), (inner_width, inner_height) = view.offset, view.content
    assert left >= 0
    assert top >= 0
    assert left + inner_width <= view.pixels.shape[1]
    assert top + inner_height <= view.pixels.shape[0]


@pytest.mark.parametrize(("height", "width", "pixel_size_um"), [(480, 640, None), (1200, 1600, 0.25), (80, 100, 0.5)])
def test_a_picture_scaled_there_and_back_is_not_shifted(height: int, width: int, pixel_size_um: float | None) -> None:
    image = field(height, width)
    view = to_model_scale(image, pixel_size_um)
    back = to_frame_scale(view.pixels.astype(np.float32), view)
    inner = np.s_[8:-8, 8:-8]  # resampling mirrors at the edge
    assert np.abs(back[inner] - image[inner]).max() < 6  # of 255: rounding, and half a model pixel of the ramp


def test_a_field_of_the_data_set_is_not_scaled() -> None:
    image = field(FIELD_SIZE, FIELD_SIZE)
    view = to_model_scale(image)
    assert (view.pixels == image).all()
    assert view.scale == 1
    assert view.whole_field


def test_a_known_pixel_size_sets_the_scale() -> None:
    view = to_model_scale(field(1200, 1600), 0.25)
    assert view.scale == 0.25 / MODEL_PIXEL_SIZE_UM
    assert view.pixels.shape == (600, 800, 3)
    assert not view.whole_field


def test_a_small_crop_is_centred_and_its_border_mirrored() -> None:
    image = field(80, 100)
    view = to_model_scale(image, MODEL_PIXEL_SIZE_UM)
    assert view.offset == (62, 72)
    assert (view.pixels[72 : 72 + 80, 62 : 62 + 100] == image).all()
    assert (view.pixels[71, 62 : 62 + 100] == image[0]).all()


def test_only_rgb_is_scaled() -> None:
    with pytest.raises(ImageError):
        to_model_scale(np.zeros((50, 50), np.uint8))


def test_a_tensor_is_one_picture_in_0_to_1() -> None:
    tensor = to_tensor(np.array([[[0, 51, 255]]], np.uint8))
    assert tensor.dtype == np.float32
    assert tensor.shape == (1, 1, 1, 3)
    assert tensor.ravel().tolist() == pytest.approx([0, 0.2, 1])


def test_only_a_whole_field_has_a_scale_bar_and_it_is_painted_over_at_the_bottom_right() -> None:
    image = np.full((168, 224, 3), 90, np.uint8)  # 4:3: centred, so the corner is not the view's own
    view = to_model_scale(image)
    x, y, width, height = scale_bar_box(view) or (0, 0, 0, 0)
    assert (width, height) == SCALE_BAR_BOX
    assert (x + width, y + height) == (224, 28 + 168)
    covered = without_scale_bar(view)
    assert (covered[y : y + height, x : x + width] == NEUTRAL).all()
    assert np.count_nonzero((covered == NEUTRAL).all(axis=-1)) == width * height
    assert (view.pixels == 90).all()  # a copy was painted
    assert scale_bar_box(to_model_scale(image, 0.5)) is None
    assert (without_scale_bar(to_model_scale(image, 0.5)) == 90).all()


def test_the_background_is_painted_and_cells_are_kept() -> None:
    pixels = np.full((4, 4, 3), 80, np.uint8)
    keep = np.eye(4, dtype=bool)
    painted = on_neutral_background(pixels, keep)
    assert (painted[keep] == 80).all()
    assert (painted[~keep] == NEUTRAL).all()


@given(st.floats(-30, 130), st.floats(-30, 90))
def test_a_crop_has_its_size_wherever_its_centre_lies(x: float, y: float) -> None:
    pixels = np.full((60, 100, 3), 70, np.uint8)
    crop = crop_cell(pixels, np.ones((60, 100), bool), (x, y))
    assert crop.shape == (CROP_SIZE, CROP_SIZE, 3)
    assert set(np.unique(crop)) <= {70, NEUTRAL}


def test_a_crop_shows_the_cell_in_its_middle_and_its_neighbours_but_no_background() -> None:
    pixels = field(100, 100)
    cell = np.zeros((100, 100), bool)
    cell[45:55, 45:55] = True
    cell[45:55, 60:65] = True
    crop = crop_cell(pixels, cell, (49.5, 49.5))
    corner = 50 - CROP_SIZE // 2
    expected = np.where(cell[..., np.newaxis], pixels, np.uint8(NEUTRAL))
    assert np.array_equal(crop, expected[corner : corner + CROP_SIZE, corner : corner + CROP_SIZE])


@pytest.mark.parametrize("pixel_size_um", [6.5, float("nan"), float("inf"), 0.0, -1.0])
def test_a_pixel_size_that_no_field_can_have_is_refused_before_anything_is_scaled(pixel_size_um: float) -> None:
    with pytest.raises(ImageError, match=f"pixel size of {pixel_size_um:g}"):
        to_model_scale(field(960, 1280), pixel_size_um)


@settings(deadline=None, max_examples=40)
@given(st.integers(32, 900), st.integers(32, 900), PIXEL_SIZE)
def test_positions_go_from_the_frame_to_the_view_and_back(height: int, width: int, pixel_size_um: float | None) -> None:
    view = to_model_scale(field(height, width), pixel_size_um)
    in_view = np.stack([grid_positions(width, view.offset[0], view.content[0], 1)[[0, -1]],
                        grid_positions(height, view.offset[1], view.content[1], 1)[[0, -1]]], axis=-1)  # fmt: skip
    back = view.to_frame(in_view)
    assert np.abs(back - [[0, 0], [width - 1, height - 1]]).max() <= 0.5 * max(view.frame_per_model) + 1e-9
    assert view.is_frame == (view.pixels.shape[:2] == (height, width) and view.content == (width, height))
