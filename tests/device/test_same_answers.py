"""The fast implementations give the same answers as straightforward ones."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from smear.imaging.cell_detection import find_cells
from smear.imaging.contours import MAX_LOG_ODDS
from smear.imaging.field_quality import focus_and_clipping
from smear.imaging.resampling import to_model_scale, to_tensor
from smear.imaging.stain_normalization import background_colour, fill_holes
from smear.imaging.tiling import stitch, tile, tile_origins
from smear.imaging.watershed import split_touching_cells
from smear.inference.segmentation import softmax_maps
from smear.inference.tflite import open_runtime
from tests.smear import reference

HALF_BAND = 5e-5  # of the pixels may fall on either side of a threshold that they are as near to as rounding is
seeds = st.integers(0, 2**32 - 1)


def noise(seed: int, shape: tuple[int, ...], smooth: float = 0.0) -> np.ndarray:
    """Float32 of 0 to 1: white noise, or blobs of `smooth` pixels."""
    values = np.random.default_rng(seed).random(shape).astype(np.float32)
    if smooth:
        values = cv2.GaussianBlur(values, (0, 0), smooth)
        values = (values - values.min()) / max(float(np.ptp(values)), 1e-6)
    return values


def blobs(seed: int, shape: tuple[int, int], smooth: float) -> np.ndarray:
    """Bool (h, w) of irregular objects that touch each other."""
    return noise(seed, shape, smooth) > 0.6


@settings(deadline=None, max_examples=40)
@given(arrays(np.float32, (9, 7, 3), elements=st.floats(-300, 300, width=32)))
def test_the_softmax_over_planes_is_softmax(logits: np.ndarray) -> None:
    assert all(
        np.allclose(found, reference.softmax(values.astype(float)), atol=1e-6)
        for found, values in zip(softmax_maps([logits, -logits]), [logits, -logits], strict=True)
    )


@settings(deadline=None, max_examples=20)
@given(seeds, st.integers(224, 500), st.integers(225, 700))
def test_tiles_are_stitched_the_same(seed: int, height: int, width: int) -> None:
    origins = tile_origins(height, width)
    tiles = [noise(seed + i, (224, 224, 3)) for i in range(len(origins))]
    if len(tiles) == 1:
        assert stitch(iter(tiles), origins, (height, width)) is tiles[0]
    else:
        assert np.allclose(
            stitch(iter(tiles), origins, (height, width)), reference.stitch(tiles, origins, (height, width)), atol=1e-6
        )


@pytest.mark.parametrize("smooth", [1.5, 4.0, 9.0, 20.0])
def test_cells_are_split_the_same_to_the_pixel(smooth: float) -> None:
    """But for ties: 1.3 % of 5652 such fields, where the rounding of a blur decides which of two peaks is higher."""
    differ = []
    for seed in range(60):
        background = np.clip(60 * (0.6 - noise(seed, (120, 160), smooth)), -MAX_LOG_ODDS, MAX_LOG_ODDS).astype(
            np.float32
        )
        cell = fill_holes(background < 0)
        found, expected = split_touching_cells(cell, background), reference.watershed(cell, background, 1)
        assert abs(int(found.max()) - int(expected.max())) <= 2
        differ += [] if np.array_equal(found, expected) else [seed]
    assert len(differ) <= 3


@settings(deadline=None, max_examples=30)
@given(seeds, st.sampled_from([1.5, 6.0]), st.sampled_from([None, 0.25, 0.31, 0.5, 0.8]))
def test_masks_are_the_same_to_the_pixel(seed: int, smooth: float, pixel_size_um: float | None) -> None:
    view = to_model_scale(np.zeros((300, 260, 3), np.uint8), pixel_size_um)
    shape = view.pixels.shape[:2]
    logits = 6 * np.stack([noise(seed + i, shape, smooth) for i in range(3)], axis=-1)
    probabilities = reference.softmax(logits).astype(np.float32)
    found = find_cells(probabilities, view)
    cell = found.cell
    framed = found.contours.in_frame(found.boxes, view).values
    differ = np.count_nonzero(framed != reference.mask_in_frame(probabilities, cell, view))
    assert differ <= HALF_BAND * framed.size  # two planes are interpolated in another order than three


@settings(deadline=None, max_examples=30)
@given(seeds, st.sampled_from([0.0, 3.0]), st.integers(20, 500), st.sampled_from([0, 1, 2]))
def test_the_gate_measures_the_same(seed: int, smooth: float, height: int, content: int) -> None:
    shape = (height, 260)
    pixels = (noise(seed, (*shape, 3), smooth) * 258 - 1).clip(0, 255).astype(np.uint8)
    cell = (np.zeros(shape, bool), blobs(seed + 1, shape, 5.0), np.ones(shape, bool))[content]
    assert np.array_equal(background_colour(pixels, cell), reference.glass_colour(pixels, cell))
    focus, clipped = focus_and_clipping(pixels, cell, 2)
    assert focus == pytest.approx(reference.focus(pixels, cell, 2), rel=1e-4)
    assert clipped == pytest.approx(reference.clipped(pixels, cell), abs=1e-12)


@pytest.mark.parametrize("level", ["float32", "int8"])
@pytest.mark.parametrize("role", ["segmenter", "classifier"])
def test_a_picture_and_its_tensor_get_the_same_answer_to_the_bit(shipped, role: str, level: str) -> None:
    model = open_runtime(shipped.model(role, level))
    picture = np.random.default_rng(3).integers(0, 256, (300, 300, 3), np.uint8)
    square = tile(picture, (30, 41), model.input_shape[1])
    assert np.array_equal(model.invoke(square[np.newaxis]), model.invoke(to_tensor(square)))
    model.close()


@pytest.fixture(scope="module")
def shipped():
    from device.bundles import shipped_bundle
    from smear.bundle.folder import load_bundle

    return load_bundle(shipped_bundle())
