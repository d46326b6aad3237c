"""A scale from the ruling of a stage micrometre."""

import cv2
import numpy as np
import pytest

from device.cameras.calibration.measurement import typed_scale
from device.cameras.calibration.procedures import measured_scale
from device.cameras.calibration.profile import NONE
from device.cameras.calibration.ruling import line_spacing_px
from smear.errors import ImageError
from smear.findings import Frame


def ruling(spacing: float, degrees: float, width: float = 1.5, shape=(480, 640)) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Dark lines on glass, each fifth one wider, as on a stage micrometre."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    across = x * np.cos(np.radians(degrees)) + y * np.sin(np.radians(degrees)) + 7.3
    number = np.rint(across / spacing)
    off = np.abs(across - number * spacing)
    wide = np.where(number % 5 == 0, 1.6 * width, width)
    grey = 210 - 150 / (1 + np.exp((off - wide / 2) * 3))
    noise = np.random.default_rng(1).normal(0, 3, shape)
    return np.clip(np.repeat((grey + noise)[..., None], 3, axis=2), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("spacing", [9.7, 24.3, 61.5])
@pytest.mark.parametrize("degrees", [0, 90, 12, -35])
def test_the_spacing_of_a_ruling_is_found_in_any_direction(spacing, degrees):
    assert line_spacing_px(ruling(spacing, degrees)) == pytest.approx(spacing, rel=0.01)


def test_a_scale_is_the_division_over_the_spacing():
    made = measured_scale(Frame(ruling(40.0, 3), "ruling"), 10.0)
    assert made.change(NONE).pixel_size_um == pytest.approx(0.25, rel=0.01)


def test_a_smear_is_no_ruling():
    noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    with pytest.raises(ImageError, match="regular"):
        line_spacing_px(cv2.GaussianBlur(cv2.resize(noise, (640, 480)), (0, 0), 2))


def test_a_scale_that_no_microscope_has_is_refused():
    with pytest.raises(ImageError, match="none of a microscope"):
        typed_scale(NONE, 12.0)


@pytest.mark.parametrize("spacing", [9.7, 24.3, 61.5, 303.0])
def test_fine_and_coarse_rulings_are_measured_in_a_picture_of_twelve_megapixels(spacing):
    assert line_spacing_px(ruling(spacing, 12, shape=(3000, 4000))) == pytest.approx(spacing, rel=0.01)
