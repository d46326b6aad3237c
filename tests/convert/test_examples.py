import cv2
import numpy as np
import pytest

from convert.examples import fields_with_masks, golden_inputs, stratified
from convert.verification.figures import cell_dice
from smear.bundle.training_run import Picture
from smear.classes import LABELS
from smear.images import write_image

PICTURES = [
    Picture(path=f"{label}/{session}/{i}.png", label=label, session=session)
    for label, count in zip(LABELS, (3, 10, 20, 40), strict=True)
    for session in ("a", "b")
    for i in range(count)
]


def test_a_draw_is_even_over_class_and_session_as_far_as_there_are_pictures():
    drawn = stratified(PICTURES, 40, seed=1)

    counts = {(label, s): sum(p.label == label and p.session == s for p in drawn) for label in LABELS for s in "ab"}
    assert len(set(drawn)) == 40
    assert counts[("Benign", "a")] == counts[("Benign", "b")] == 3
    assert {counts[(label, s)] for label in LABELS[1:] for s in "ab"} <= {5, 6}


def test_a_draw_is_the_same_for_the_same_seed_whatever_the_order():
    assert stratified(PICTURES, 10, seed=1) == stratified(PICTURES[::-1], 10, seed=1)
    assert stratified(PICTURES, 10, seed=1) != stratified(PICTURES, 10, seed=2)


def test_more_than_there_are_gives_all():
    assert len(stratified(PICTURES, 1000, seed=1)) == len(PICTURES)


@pytest.mark.parametrize("crop", [48, 96, 224])
def test_golden_inputs_are_the_same_each_time(crop):
    fields, crops = golden_inputs(224, crop)

    assert fields.shape == (2, 224, 224, 3)
    assert crops.shape == (2, crop, crop, 3)
    np.testing.assert_array_equal(fields, golden_inputs(224, crop)[0])


def test_a_field_that_was_trained_on_gives_no_mask(tmp_path):
    for stem in ("one", "two"):
        for folder, suffix in (("taleqani/Original", ".jpg"), ("taleqani_masks", ".png")):
            (tmp_path / folder / "Pre").mkdir(parents=True, exist_ok=True)
            write_image(tmp_path / folder / "Pre" / (stem + suffix), np.full((64, 64, 3), 200, np.uint8))
    cv2.imwrite(str(tmp_path / "taleqani_masks/Pre/one_cells.png"), np.zeros((64, 64), np.uint8))

    found = fields_with_masks(tmp_path, [Picture(path="taleqani/Original/Pre/one.jpg", label="Pre")])

    assert [frame.source for frame, _ in found] == ["taleqani/Original/Pre/two.jpg"]


def test_dice_leaves_out_what_is_to_be_ignored():
    drawn = np.array([[255, 255, 128, 0]], np.uint8)

    assert cell_dice(np.array([[True, True, True, False]]), drawn) == 1.0
    assert cell_dice(np.array([[True, False, False, True]]), drawn) == 0.5
    assert cell_dice(np.zeros((1, 4), bool), np.zeros((1, 4), np.uint8)) == 1.0
