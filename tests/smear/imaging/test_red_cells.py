"""Red cells as circles: measured by their edges, free or overlapping, whatever their stain."""

import cv2
import numpy as np
import pytest

from smear.imaging.red_cells import Circles, find_circles


def field(*cells: tuple[float, float, float], shape: tuple[int, int] = (160, 160), pallor: bool = True) -> np.ndarray:
    """Green channel uint8 (h, w) of discs given as x, y, diameter: darker than the background, pale in the middle."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    green = np.full(shape, 235, np.float32)
    for cx, cy, diameter in cells:
        away = np.hypot(x - cx, y - cy)
        edge = np.clip(diameter / 2 - away + 0.5, 0, 1)
        middle = np.clip(diameter / 5 - away + 0.5, 0, 1) if pallor else 0
        green *= 1 - 0.3 * edge * (1 - 0.6 * middle)
    noise = np.random.default_rng(1).normal(0, 1.5, shape)
    return np.clip(cv2.GaussianBlur(green, (0, 0), 0.8) + noise, 0, 255).astype(np.uint8)


def found(green: np.ndarray, excluded: np.ndarray | None = None) -> Circles:
    circles = find_circles(green, np.zeros(green.shape, bool) if excluded is None else excluded)
    clear = circles.votes > 0.5
    return Circles(circles.diameters[clear], circles.votes[clear], circles.evenness[clear])


@pytest.mark.parametrize("diameter", [9, 11, 14, 18, 24])
@pytest.mark.parametrize("pallor", [True, False])
def test_free_cells_are_measured_to_a_tenth(diameter: int, pallor: bool) -> None:
    places = [(x + 0.3 * x / 40, y + 0.4) for x in (30, 80, 130) for y in (30, 80, 130)]
    circles = found(field(*((x, y, diameter) for x, y in places), pallor=pallor))
    assert len(places) <= len(circles.diameters) < 2 * len(places)  # one may be found from two neighbouring middles
    assert np.median(circles.diameters) == pytest.approx(diameter, rel=0.1)
    assert np.median(circles.evenness) > 0.8


def test_cells_that_overlap_are_measured_each() -> None:
    circles = found(field((70, 80, 15), (81, 84, 15), pallor=False))
    assert len(circles.diameters) in (2, 3)
    assert circles.diameters == pytest.approx(np.full(len(circles.diameters), 15), rel=0.12)


def test_what_is_brighter_than_its_background_is_no_cell() -> None:
    green = 255 - field((50, 50, 14), (110, 110, 14), pallor=False)
    assert len(found(green).diameters) == 0


def test_what_is_excluded_is_not_looked_at() -> None:
    green = field((50, 50, 14), (110, 110, 14))
    excluded = np.zeros(green.shape, bool)
    excluded[30:70, 30:70] = True
    assert len(found(green, excluded).diameters) == 1


@pytest.mark.parametrize("value", [0, 128, 255])
def test_an_even_picture_has_no_circles(value: int) -> None:
    assert len(find_circles(np.full((120, 120), value, np.uint8), np.zeros((120, 120), bool)).diameters) == 0


def test_where_all_is_excluded_nothing_is_found() -> None:
    noise = np.random.default_rng(2).integers(0, 256, (160, 160)).astype(np.uint8)
    assert len(find_circles(noise, np.ones((160, 160), bool)).diameters) == 0
