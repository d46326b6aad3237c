"""The pixel size from red cells: right at any scale, whatever was assumed, and unsure where there are none."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smear.findings import RedCellScale
from smear.imaging import pixel_size
from smear.imaging.pixel_size import SteadyScale, estimate_pixel_size
from smear.imaging.resampling import MODEL_PIXEL_SIZE_UM, to_model_scale
from smear.synthetic import blank, red_cells_only, render

MOST_SIDE_PX = 900


def smear(pixel_size_um: float, seed: int = 3) -> np.ndarray:
    side = min(MOST_SIDE_PX, round(112 / pixel_size_um))
    return red_cells_only(seed, (side, side), pixel_size_um).image


def estimate(image: np.ndarray, assumed_um: float | None, excluded: np.ndarray | None = None) -> RedCellScale | None:
    view = to_model_scale(image, assumed_um)
    hidden = np.zeros(view.pixels.shape[:2], bool) if excluded is None else excluded
    return estimate_pixel_size(image, view, hidden, MODEL_PIXEL_SIZE_UM)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("assumed", [0.25, 0.5, 0.7, 1.0, 1.4, 2.0, 4.0])
def test_the_pixel_size_is_found_whatever_was_assumed(seed: int, assumed: float) -> None:
    said = estimate(smear(0.5, seed), 0.5 * assumed)
    assert said is not None
    assert said.sure
    assert said.pixel_size_um == pytest.approx(0.5, rel=0.12)
    low, high = said.interval_um
    assert low < 0.5 < high
    assert said.red_cells >= 15


@pytest.mark.parametrize("pixel_size_um", [0.12, 0.2, 0.35, 0.6])
def test_it_is_found_where_nothing_is_known(pixel_size_um: float) -> None:
    said = estimate(smear(pixel_size_um), None)
    assert said is not None
    assert said.sure
    assert said.pixel_size_um == pytest.approx(pixel_size_um, rel=0.12)


def test_leukocytes_are_left_out() -> None:
    drawn = render("Pre", 7, (300, 300), cells=40)
    view = to_model_scale(drawn.image, 0.5)
    said = estimate(drawn.image, 0.5, drawn.mask.cell)
    assert view.is_frame
    assert said is not None
    assert abs(math.log(said.pixel_size_um / 0.5)) < 2.5 * said.doubt


@pytest.mark.parametrize("assumed", [None, 0.1, 0.5, 2.0])
def test_empty_glass_says_nothing_for_sure(assumed: float | None) -> None:
    said = estimate(blank(4).image, assumed)
    assert said is None or not said.sure


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 300), st.integers(1, 300), st.one_of(st.none(), st.floats(0.01, 3.0)), st.integers(0, 2**31))
def test_any_picture_of_any_shape_gives_a_number_or_nothing(
    height: int, width: int, assumed: float | None, seed: int
) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    said = estimate(image, assumed)
    if said is not None:
        assert math.isfinite(said.pixel_size_um)
        assert 0 < said.interval_um[0] < said.pixel_size_um < said.interval_um[1]


@pytest.fixture
def estimates(monkeypatch: pytest.MonkeyPatch) -> list[RedCellScale | None]:
    made: list[RedCellScale | None] = []

    def count(*given: object) -> RedCellScale | None:
        made.append(estimate_pixel_size(*given))  # type: ignore[arg-type]
        return made[-1]

    monkeypatch.setattr(pixel_size, "estimate_pixel_size", count)
    return made


def watch(pictures: list[np.ndarray], assumed_um: float) -> list[RedCellScale | None]:
    steady, views = SteadyScale(), [to_model_scale(picture, assumed_um) for picture in pictures]
    return [
        steady.estimate(picture, view, np.zeros(view.pixels.shape[:2], bool), MODEL_PIXEL_SIZE_UM)
        for picture, view in zip(pictures, views, strict=True)
    ]


def test_a_view_at_rest_is_estimated_once_and_another_view_anew(estimates: list[RedCellScale | None]) -> None:
    first, other, rng = smear(0.25), smear(0.25, seed=4), np.random.default_rng(0)
    noisy = np.clip(first + rng.normal(0, 4, first.shape), 0, 255).astype(np.uint8)
    moved = np.roll(first, 4, axis=1)
    seen = watch([first, noisy, first, moved, moved, other, first], 0.25)
    assert len(estimates) == 4
    assert seen[0] is seen[1] is seen[2]
    assert seen[3] is seen[4] is not seen[0]


@pytest.mark.parametrize(("picture", "assumed"), [(smear(0.25), 0.5), (blank(1, (400, 400), 0.25).image, 0.25)])
def test_an_estimate_that_refuses_or_says_nothing_is_made_anew(
    picture: np.ndarray, assumed: float, estimates: list[RedCellScale | None]
) -> None:
    watch([picture] * 3, assumed)
    assert len(estimates) == 3
