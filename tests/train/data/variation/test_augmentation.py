"""Changes to a picture move its mask with it, keep codes whole, and depend on the seed alone."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smear.imaging.masking import SCALE_BAR_BOX
from smear.metrics import iou
from smear.synthetic import render
from train.data.variation.augmentation import (
    add_scale_bar,
    degrade,
    palette_of,
    random_crop,
    recolour,
    shift_hue,
    vary_stain,
)

SEEDS = st.integers(0, 10_000)
VIOLET, GLASS = (110, 50, 150), (240, 235, 215)


def disc(size: int = 224, radius: int = 40) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:size, :size]
    inside = (x - size / 2) ** 2 + (y - size / 2) ** 2 < radius**2
    return np.where(inside[..., None], VIOLET, GLASS).astype(np.uint8), np.where(inside, 3, 0).astype(np.uint8)


@settings(deadline=None, max_examples=25)
@given(SEEDS, st.sampled_from([96, 224]))
def test_the_mask_moves_with_the_picture(seed: int, size: int) -> None:
    image, mask = disc()
    moved, codes = random_crop(image, mask, np.random.default_rng(seed), size, (0.8, 1.25))
    assert moved.shape == (size, size, 3)
    assert codes.shape == (size, size)
    violet = np.abs(moved.astype(int) - VIOLET).sum(axis=-1) < np.abs(moved.astype(int) - GLASS).sum(axis=-1)
    if codes.any():
        assert iou(codes == 3, violet) > 0.9


@settings(deadline=None, max_examples=25)
@given(SEEDS)
def test_codes_are_never_mixed(seed: int) -> None:
    mask = np.random.default_rng(seed).choice(np.array([0, 1, 2, 3, 255], np.uint8), (100, 120))
    image = np.zeros((100, 120, 3), np.uint8)
    _, codes = random_crop(image, mask, np.random.default_rng(seed), 96, (0.3, 3.0))
    assert set(np.unique(codes)) <= {0, 1, 2, 3, 255}


@pytest.mark.parametrize("zoom", [1.0, 1.5, 2.0])
def test_a_zoom_keeps_the_size_it_promises(zoom: float) -> None:
    image, mask = disc(radius=20)
    _, codes = random_crop(image, mask, np.random.default_rng(0), round(224 * zoom), (zoom, zoom))
    assert np.count_nonzero(codes) == pytest.approx(np.count_nonzero(mask) * zoom**2, rel=0.05)


@settings(deadline=None, max_examples=25)
@given(SEEDS)
def test_another_stain_keeps_what_is_dark_dark(seed: int) -> None:
    image, mask = disc(64, 15)
    changed = vary_stain(image, np.random.default_rng(seed))
    assert changed.shape == image.shape
    assert changed.dtype == np.uint8
    assert changed[mask == 3].mean() < changed[mask == 0].mean()


def test_without_strength_the_stain_stays_but_for_rounding() -> None:
    image = render("Pre", 1).image
    assert np.abs(vary_stain(image, np.random.default_rng(0), strength=0.0).astype(int) - image).max() <= 2


@settings(deadline=None, max_examples=25)
@given(SEEDS)
def test_optics_and_cameras_leave_a_picture_of_the_same_shape_and_place(seed: int) -> None:
    image, _ = disc(96, 25)
    changed = degrade(image, np.random.default_rng(seed))
    assert changed.shape == image.shape
    assert changed.dtype == np.uint8
    assert np.abs(changed.mean(axis=(0, 1)) - image.mean(axis=(0, 1))).max() < 6


def test_recompression_loses_detail_of_colour_before_that_of_lightness() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    recompress_alone: Any = SimpleNamespace(random=iter((1.0, 1.0, 0.0)).__next__, integers=lambda low, high: high)
    changed = degrade(image, recompress_alone)
    lost = np.abs(changed.astype(float) - image)[4:-4, 4:-4].mean(axis=(0, 1))
    assert lost[1] < lost[0] < lost[2]  # green, red and blue have 0.59, 0.30 and 0.11 of the lightness


@given(SEEDS)
def test_a_scale_bar_stays_in_its_corner(seed: int) -> None:
    image = np.full((224, 224, 3), 200, np.uint8)
    changed = (add_scale_bar(image, np.random.default_rng(seed)) != image).any(axis=-1)
    assert changed.any()
    changed[-SCALE_BAR_BOX[1] :, -SCALE_BAR_BOX[0] :] = False
    assert not changed.any()
    assert (image == 200).all()


def test_the_same_seed_gives_the_same_picture() -> None:
    image, mask = disc()
    first, second = (
        degrade(vary_stain(random_crop(image, mask, rng, 96, (0.8, 1.2))[0], rng), rng)
        for rng in (np.random.default_rng(4), np.random.default_rng(4))
    )
    assert (first == second).all()


def test_a_recoloured_picture_takes_the_glass_of_the_other() -> None:
    rng = np.random.default_rng(3)
    own, other = render("Pre", 1).image, shift_hue(render("Benign", 2).image, rng)
    wanted = palette_of(other)
    painted = palette_of(recolour(own, wanted, rng))
    assert np.abs(painted.glass - wanted.glass).max() <= 3
    assert np.abs(painted.glass - wanted.glass).sum() < np.abs(palette_of(own).glass - wanted.glass).sum()
