"""The glass background, stain normalisation, and the colour thresholds that serve as baselines."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from smear.images import read_image
from smear.imaging.stain_normalization import (
    MIN_AREA_PX,
    background_colour,
    fill_holes,
    hsv_mask,
    normalization_table,
    otsu_mask,
)
from smear.metrics import dice
from smear.synthetic import red_cells_only, render


def test_the_glass_is_the_brightest_background() -> None:
    image = np.full((100, 100, 3), (235, 228, 200), np.uint8)
    image[20:60, 20:60] = (120, 60, 150)
    image[5:8, 5:8] = 255  # dust
    assert background_colour(image).tolist() == [235, 228, 200]


def test_what_is_excluded_is_never_glass() -> None:
    image = np.full((50, 50, 3), 90, np.uint8)
    image[:, :25] = 250
    bright = np.zeros((50, 50), bool)
    bright[:, :25] = True
    assert background_colour(image, bright).tolist() == [90, 90, 90]


def test_a_field_of_nothing_but_cells_still_has_a_colour() -> None:
    image = np.full((40, 40, 3), 120, np.uint8)
    assert background_colour(image, np.ones((40, 40), bool)).tolist() == [120, 120, 120]


def test_otsu_on_red_against_green_finds_drawn_blasts() -> None:
    scores = [dice(field.mask.cell, otsu_mask(field.image)) for field in (render("Pre", seed) for seed in range(4))]
    assert np.mean(scores) > 0.8


def test_the_baselines_keep_their_measured_dice_on_the_drawn_masks(data_dir: Path) -> None:
    scores: dict[str, list[float]] = {"otsu": [], "hsv": []}
    for path in sorted((data_dir / "taleqani_masks").glob("*/*.png")):
        if path.stem.endswith("_cells"):
            continue
        drawn = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        image = read_image(data_dir / "taleqani" / "Original" / path.parent.name / f"{path.stem}.jpg")
        for name, found in (("otsu", otsu_mask(image)), ("hsv", fill_holes(hsv_mask(image), MIN_AREA_PX))):
            scores[name].append(dice(drawn == 255, found, ignore=drawn == 128))
    assert len(scores["otsu"]) == 32
    # As measured; in two fields Otsu's threshold separates something else than cells, hence a mean below the median.
    assert np.mean(scores["otsu"]) == pytest.approx(0.896, abs=0.01)
    assert np.median(scores["otsu"]) == pytest.approx(0.955, abs=0.01)
    assert np.mean(scores["hsv"]) == pytest.approx(0.876, abs=0.01)


def test_the_fixed_violet_range_finds_violet_and_leaves_red_cells() -> None:
    field = red_cells_only(3)
    assert hsv_mask(field.image).mean() < 0.02
    assert hsv_mask(np.full((8, 8, 3), (110, 50, 150), np.uint8)).all()


def test_holes_are_filled_and_specks_removed() -> None:
    mask = np.zeros((40, 40), bool)
    mask[5:25, 5:25] = True
    mask[10:15, 10:15] = False
    mask[30:32, 30:32] = True
    filled = fill_holes(mask, 40)
    assert filled[5:25, 5:25].all()
    assert np.count_nonzero(filled) == 20 * 20


def test_an_empty_mask_stays_empty() -> None:
    assert not fill_holes(np.zeros((10, 10), bool)).any()


WANTED = (0.4, 0.55)
GLASS = np.array([255.0, 250.0, 252.0])


def stained(depth: float, light: Sequence[float] = (1, 1, 1)) -> np.ndarray:
    """A violet disc on glass: `depth` times as deeply stained as the lightest, seen in this `light`."""
    rows, columns = np.mgrid[:64, :64]
    disc = np.hypot(rows - 32, columns - 32)[..., np.newaxis] < 20
    density = np.where(disc, depth * np.array([0.3, 0.5, 0.1]), 0)
    return np.rint(GLASS * light * np.exp(-density)).astype(np.uint8)


def normalised(image: np.ndarray) -> np.ndarray:
    """The disc alone after stain normalisation, as the classifier's input."""
    cell = image[..., 1] < image[0, 0, 1]
    alone = np.where(cell[..., np.newaxis], image, np.uint8(255))
    return cv2.LUT(alone, normalization_table(image, cell, background_colour(image, cell), WANTED))


@pytest.mark.parametrize("light", [(1, 1, 1), (0.8, 1, 1), (1, 0.9, 0.7), (0.6, 0.6, 0.6)])
@pytest.mark.parametrize("depth", [0.7, 1.0, 1.6])
def test_stain_and_light_are_normalised_away(depth: float, light: Sequence[float]) -> None:
    out = normalised(stained(depth, light))
    assert (out[0, 0] == 255).all()
    assert -np.log(out[32, 32, :2] / 255.0) == pytest.approx(WANTED, abs=0.02)
    assert out[32, 32].astype(int) == pytest.approx(normalised(stained(depth))[32, 32].astype(int), abs=3)


def test_an_unstained_field_is_not_amplified() -> None:
    assert -np.log(normalised(stained(0.05))[32, 32, 1] / 255.0) < 0.12
    nothing = np.full((8, 8, 3), 255, np.uint8)
    assert (
        cv2.LUT(nothing, normalization_table(nothing, np.zeros(nothing.shape[:2], bool), GLASS, WANTED)) == 255
    ).all()
