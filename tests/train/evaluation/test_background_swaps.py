"""Cells are painted out, moved and left alone as the controls say."""

import numpy as np
import pytest

from smear.classes import LABELS
from smear.imaging.masking import SCALE_BAR_BOX
from smear.synthetic import render
from train.evaluation.background_swaps import paint_out, swap_bar, transplant
from train.evaluation.corruptions import all_corruptions
from train.evaluation.occlusion import overlay


@pytest.mark.parametrize("label", LABELS)
def test_a_painted_out_field_keeps_its_background_and_loses_its_cells(label: str) -> None:
    field = render(label, 3, cells=4)
    cell = field.mask.cell
    painted = paint_out(field.image, cell, np.random.default_rng(0))
    background = np.median(field.image[~cell], axis=0)
    before, after = (np.abs(np.median(image[cell], axis=0) - background).max() for image in (field.image, painted))
    assert after < 0.4 * before
    assert np.abs(painted.astype(int) - field.image)[~cell].mean() < 0.2 * np.abs(painted.astype(int) - field.image)[
        cell].mean()  # fmt: skip


def test_no_hole_is_filled_with_the_scale_bar() -> None:
    image = np.full((224, 224, 3), 235, np.uint8)
    width, height = SCALE_BAR_BOX
    image[-height:, -width:] = (0, 160, 0)
    cell = np.zeros((224, 224), bool)
    cell[40:190, 10:200] = True  # so large that only the corner would fill some of it
    image[cell] = (110, 50, 150)
    painted = paint_out(image, cell, np.random.default_rng(0))
    away = np.s_[: -height - 10]
    assert np.abs(painted[away].astype(int) - 235).max() < 8
    assert (painted[-height + 2 :, -width + 2 :] == (0, 160, 0)).all()


def test_a_field_without_background_is_still_painted_out() -> None:
    violet = np.full((224, 224, 3), (110, 50, 150), np.uint8)
    painted = paint_out(violet, np.ones((224, 224), bool), np.random.default_rng(0))
    assert painted.shape == violet.shape


def test_a_transplant_takes_the_cells_and_no_more() -> None:
    donor, host = render("Pre", 1, cells=3), np.full((224, 224, 3), 240, np.uint8)
    moved = transplant(donor.image, donor.mask.cell, host)
    core = donor.mask.nucleus
    assert np.abs(moved[core].astype(int) - donor.image[core]).mean() < 3
    far = ~donor.mask.cell
    assert (moved[far] == 240).mean() > 0.9


def test_only_the_corner_of_the_scale_bar_is_swapped() -> None:
    white, black = np.full((224, 224, 3), 255, np.uint8), np.zeros((224, 224, 3), np.uint8)
    swapped = swap_bar(white, black)
    width, height = SCALE_BAR_BOX
    assert not swapped[-height:, -width:].any()
    assert (swapped[: -height - 8] == 255).all()
    assert (swapped[:, : -width - 8] == 255).all()


def test_a_stronger_corruption_changes_a_field_more() -> None:
    image = render("Early", 0).image
    by_kind: dict[str, list[float]] = {}
    for one in all_corruptions():
        changed = one.apply(image)
        assert changed.dtype == np.uint8
        assert changed.shape == image.shape
        by_kind.setdefault(one.kind, []).append(float(np.abs(changed.astype(int) - image).mean()))
    assert set(by_kind) == {"stain", "white balance", "blur", "JPEG"}
    for changes in by_kind.values():
        assert changes[0] < changes[-1]


def test_an_overlay_is_red_where_the_answer_moves() -> None:
    change = np.zeros((13, 13))
    change[6, 6] = 3.0
    shown = overlay(np.full((224, 224, 3), 200, np.uint8), change)
    assert shown[112, 112, 0] > shown[112, 112, 1] + 80
    assert abs(int(shown[5, 5, 0]) - int(shown[5, 5, 1])) < 12
