"""The synthetic smear: repeatable, exact in its masks, and the same slide wherever the stage goes."""

import hashlib
import subprocess
import sys
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smear.classes import LABELS
from smear.errors import ImageError
from smear.findings import BACKGROUND, CYTOPLASM, NUCLEUS
from smear.synthetic import SESSIONS, SyntheticField, SyntheticSlide, blank, red_cells_only, render
from smear.synthetic.stains import PALETTES

labels = st.sampled_from(LABELS)
shapes = st.tuples(st.integers(1, 200), st.integers(1, 200))
pixel_sizes = st.floats(0.2, 2.0)


def require_consistent(field: SyntheticField, shape: tuple[int, int]) -> None:
    assert field.image.dtype == np.uint8
    assert field.image.shape == (*shape, 3)
    assert field.mask.values.dtype == np.uint8
    assert field.mask.values.shape == shape
    assert set(np.unique(field.mask.values)) <= {BACKGROUND, CYTOPLASM, NUCLEUS}
    assert field.cells.dtype == np.uint16
    assert field.cells.shape == shape
    assert np.array_equal(field.cells > 0, field.mask.cell)
    numbers = np.unique(field.cells[field.cells > 0])
    assert numbers.tolist() == list(range(1, len(numbers) + 1))


@settings(max_examples=40, deadline=None)
@given(labels, st.integers(-(2**63), 2**63), shapes, pixel_sizes, st.booleans())
def test_any_shape_scale_and_seed_gives_a_consistent_field(label, seed, shape, pixel_size_um, scale_bar) -> None:
    require_consistent(render(label, seed, shape, pixel_size_um, scale_bar=scale_bar), shape)


@settings(max_examples=15, deadline=None)
@given(labels, st.integers(0, 2**32), st.floats(-5000, 5000), st.floats(-5000, 5000), shapes)
def test_any_stage_position_gives_a_consistent_field(label, seed, x_um, y_um, shape) -> None:
    require_consistent(SyntheticSlide(label, seed).field_at(x_um, y_um, shape), shape)


@settings(max_examples=10, deadline=None)
@given(labels, st.integers(0, 2**32))
def test_the_same_seed_draws_the_same_field(label, seed) -> None:
    first, second = render(label, seed), render(label, seed)
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.mask.values, second.mask.values)
    assert np.array_equal(first.cells, second.cells)


def test_another_process_draws_the_same_field() -> None:
    script = (
        "import hashlib; from smear.synthetic import render; f = render('Pre', 7); "
        "print(hashlib.sha256(f.image.tobytes() + f.mask.values.tobytes()).hexdigest())"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    field = render("Pre", 7)
    assert run.stdout.strip() == hashlib.sha256(field.image.tobytes() + field.mask.values.tobytes()).hexdigest()


def test_other_seeds_and_classes_draw_other_fields() -> None:
    images = [render(label, seed).image.tobytes() for label in LABELS for seed in range(3)]
    assert len(set(images)) == len(images)


@pytest.mark.parametrize("label", LABELS)
def test_every_field_of_a_class_shows_a_leukocyte_with_a_nucleus(label: str) -> None:
    for seed in range(10):
        field = render(label, seed)
        assert field.label == label
        assert field.seed == seed
        assert field.cells.max() >= 1
        assert field.mask.nucleus.any()


@pytest.mark.parametrize("count", [0, 1, 5, 20])
def test_as_many_leukocytes_are_drawn_as_asked(count: int) -> None:
    for label in LABELS:
        assert render(label, 3, cells=count).cells.max() == count


def test_leukocytes_have_the_sizes_and_nuclei_of_their_kind() -> None:
    for label in LABELS:
        field = render(label, 11, (448, 448), 0.25, cells=12)
        areas = np.bincount(field.cells.ravel())[1:] * 0.25**2
        diameters_um = 2 * np.sqrt(areas / np.pi)
        assert 8 < np.median(diameters_um) < 15
        assert 0.5 < field.mask.nucleus.sum() / field.mask.cell.sum() < 0.97


def test_the_mask_lies_on_the_dark_cells_to_the_pixel() -> None:
    field = render("Early", 5, cells=6, noise=0, stain=SESSIONS[0])
    green = field.image[..., 1].astype(int)
    inner = cv2.erode(field.mask.nucleus.astype(np.uint8), np.ones((3, 3))) > 0
    outer = cv2.dilate(field.mask.cell.astype(np.uint8), np.ones((5, 5))) == 0
    assert np.percentile(green[inner], 95) < np.percentile(green[outer], 5)


@pytest.mark.parametrize("stain", SESSIONS, ids=lambda stain: stain.name)
def test_a_nucleus_is_darker_than_what_surrounds_its_cell_in_every_stain(stain) -> None:
    field = render("Pre", 4, stain=stain)
    green = field.image[..., 1]  # where the nuclear dye absorbs most
    grown = cv2.dilate(field.mask.cell.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    around = np.percentile(green[grown & ~field.mask.cell], 25)
    assert np.median(green[field.mask.nucleus]) < around - 15


def test_blasts_are_larger_than_the_benign_small_cells() -> None:
    diameters_um = {}
    for label in LABELS:
        areas = np.concatenate(
            [np.bincount(render(label, s, (448, 448), cells=16).cells.ravel())[1:] for s in range(2)]
        )
        diameters_um[label] = float(np.median(2 * np.sqrt(areas * 0.5**2 / np.pi)))
    blasts = [diameters_um[label] for label in ("Early", "Pre", "Pro")]
    assert all(10.0 < diameter < 13.5 for diameter in blasts), diameters_um
    assert diameters_um["Benign"] < min(blasts), diameters_um


def test_the_mask_does_not_depend_on_stain_noise_or_focus() -> None:
    plain = render("Pre", 9, noise=0)
    other = render("Pre", 9, stain=SESSIONS[3], noise=6, defocus_um=3)
    assert np.array_equal(plain.mask.values, other.mask.values)
    assert not np.array_equal(plain.image, other.image)


def test_defocus_takes_detail_away_step_by_step() -> None:
    # Beyond 4 µm nothing is left but the rounding to whole grey levels.
    energy = [cv2.Laplacian(render("Pro", 2, defocus_um=z, noise=0).image, cv2.CV_64F).var() for z in (0, 1, 2, 4)]
    assert all(sharp > 1.3 * soft for sharp, soft in pairwise(energy))


def test_focus_is_lost_alike_above_and_below() -> None:
    assert np.array_equal(render("Pro", 2, defocus_um=2).image, render("Pro", 2, defocus_um=-2).image)


def test_red_cells_only_and_blank_glass_hold_no_leukocyte() -> None:
    for seed in range(5):
        for field in (red_cells_only(seed), blank(seed)):
            require_consistent(field, (224, 224))
            assert field.label is None
            assert not field.mask.cell.any()
    assert blank(1).image.std() < red_cells_only(1).image.std()


def test_no_stain_session_belongs_to_one_class_alone() -> None:
    for session in SESSIONS:
        assert sum(session in palette for palette in PALETTES.values()) >= 2
    assert all(len(palette) >= 4 for palette in PALETTES.values())


def test_classes_overlap_in_the_colour_of_their_glass_and_cells() -> None:
    for part in (lambda f: ~f.mask.cell, lambda f: f.mask.nucleus):
        ranges = []
        for label in LABELS:
            colours = [(f := render(label, seed, noise=0)).image[part(f)].mean(axis=0) for seed in range(12)]
            ranges.append((np.min(colours, axis=0), np.max(colours, axis=0)))
        low, high = np.max([r[0] for r in ranges], axis=0), np.min([r[1] for r in ranges], axis=0)
        assert (low < high).all()


def test_the_scale_bar_hides_what_lies_under_it() -> None:
    for seed in range(4):
        field, without = render("Pre", seed, scale_bar=True), render("Pre", seed)
        corner = (slice(-17, None), slice(-24, None))
        assert not field.mask.values[corner].any()
        assert not field.cells[corner].any()
        assert (field.image[corner] == 255).all(axis=2).mean() > 0.4
        assert np.array_equal(field.image[:-32, :-48], without.image[:-32, :-48])


def test_overlapping_fields_of_a_slide_show_the_same_cells() -> None:
    slide = SyntheticSlide("Pre", 4, 0.5)
    here, there = slide.field_at(0, 0, noise=0), slide.field_at(30.0, 17.0, noise=0)
    dx, dy = 60, 34  # pixels of 0.5 µm
    assert np.array_equal(here.mask.values[dy:, dx:], there.mask.values[:-dy, :-dx])
    assert here.mask.cell[dy:, dx:].any()
    # Illumination stays with the microscope, so colours may differ by the vignette, but no more.
    difference = np.abs(here.image[dy:, dx:].astype(int) - there.image[:-dy, :-dx])
    assert np.percentile(difference, 99) < 30


def test_a_field_does_not_depend_on_the_way_the_stage_came() -> None:
    wandered = SyntheticSlide("Benign", 8)
    for step in range(6):
        wandered.field_at(90.0 * step, -40.0 * step)
    straight = SyntheticSlide("Benign", 8)
    assert np.array_equal(wandered.field_at(321.3, 77.7).image, straight.field_at(321.3, 77.7).image)


def test_distant_places_of_a_slide_differ_on_every_side() -> None:
    slide = SyntheticSlide("Pre", 3)
    places = [(0, 0), (5000, 0), (0, 5000), (-5000, 0), (0, -5000), (5000, 5000)]
    assert len({slide.field_at(x, y).image.tobytes() for x, y in places}) == len(places)


def test_frames_of_a_resting_stage_differ_by_noise_alone() -> None:
    slide = SyntheticSlide("Early", 1)
    one, two = slide.field_at(10, 10, noise_seed=1), slide.field_at(10, 10, noise_seed=2)
    assert np.array_equal(one.mask.values, two.mask.values)
    difference = one.image.astype(int) - two.image
    assert difference.any()
    assert abs(difference.mean()) < 0.2
    assert difference.std() < 6
    assert np.array_equal(one.image, slide.field_at(10, 10, noise_seed=1).image)


def test_a_slide_is_full_of_cells_of_its_class() -> None:
    for label in LABELS:
        slide = SyntheticSlide(label, 0, 0.5)
        assert sum(int(slide.field_at(112.0 * step, 0.0).cells.max()) for step in range(6)) >= 6


@pytest.mark.parametrize("shape", [(0, 10), (10, -1)])
def test_a_field_without_pixels_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match="must be positive"):
        render("Pre", 0, shape)


@pytest.mark.parametrize("pixel_size_um", [0.0, -1.0, float("inf"), float("nan")])
def test_a_pixel_without_size_is_refused(pixel_size_um: float) -> None:
    with pytest.raises(ImageError, match="must be positive"):
        SyntheticSlide("Pre", 0, pixel_size_um)


def test_an_unknown_class_is_refused_with_those_there_are() -> None:
    for draw in (lambda: render("Late", 0), lambda: SyntheticSlide("Late", 0)):
        with pytest.raises(ImageError, match="Benign, Early, Pre, Pro"):
            draw()
