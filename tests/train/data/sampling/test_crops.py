"""Cells are cut as the device cuts them, and drawn into balanced, varied batches of one field's cells."""

import os
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("tensorflow", reason="training needs the extra 'train'")

from smear.classes import LABELS
from smear.imaging.masking import CROP_SIZE, NEUTRAL
from smear.imaging.resampling import ModelFrame, to_model_scale
from smear.synthetic import render
from train.data.sampling.crops import (
    BAG,
    CUT_SIZE,
    CropBatches,
    Crops,
    Variation,
    cut_cells,
    joined,
    on_neutral_background,
    vary,
)

STILL = Variation(gain=0, mixing=0, tint=0, zoom=0, edge_px=0, blur=0)


def field(label: str, seed: int) -> tuple[ModelFrame, np.ndarray]:
    """A drawn field and the probabilities of a segmenter that is always right."""
    drawn = render(label, seed, cells=6)
    nucleus, cell = drawn.mask.nucleus, drawn.mask.cell
    return to_model_scale(drawn.image), np.stack([~cell, cell & ~nucleus, nucleus], axis=-1).astype(np.float32)


def crops_of(seeds: range = range(3)) -> Crops:
    return joined([
        Crops.of_field(f"{label}/{seed}", number, *cut_cells(*field(label, seed)))
        for number, label in enumerate(LABELS) for seed in seeds
    ])  # fmt: skip


@pytest.fixture(scope="module")
def crops() -> Crops:
    return crops_of()


def test_every_cell_is_cut_with_its_mask_in_the_middle(crops: Crops) -> None:
    assert crops.pixels.shape == (len(crops.label), CUT_SIZE, CUT_SIZE, 4)
    assert crops.pixels.dtype == np.uint8
    middle = crops.pixels[:, CUT_SIZE // 2 - 2 : CUT_SIZE // 2 + 2, CUT_SIZE // 2 - 2 : CUT_SIZE // 2 + 2, 3]
    assert (middle.mean(axis=(1, 2)) > 0).mean() > 0.95
    assert ((crops.weight > 0) & (crops.weight <= 1)).all()


def test_a_classifier_is_shown_the_cell_on_a_neutral_background(crops: Crops) -> None:
    pictures = on_neutral_background(crops.pixels)
    assert pictures.shape[1:] == (CROP_SIZE, CROP_SIZE, 3)
    border = (CUT_SIZE - CROP_SIZE) // 2
    outside = crops.pixels[:, border:-border, border:-border, 3] == 0
    assert (pictures[outside] == NEUTRAL).all()
    assert (pictures[~outside] < 255).mean() > 0.5


def test_a_field_without_a_cell_gives_none() -> None:
    view = to_model_scale(np.full((224, 224, 3), 230, np.uint8))
    nothing = np.zeros((224, 224, 3), np.float32)
    nothing[..., 0] = 1
    pixels, weights = cut_cells(view, nothing)
    assert len(pixels) == len(weights) == 0
    assert len(joined([Crops.of_field("a", 0, pixels, weights), crops_of(range(1))]).files) == 5


def test_what_is_saved_is_read_back(crops: Crops, tmp_path: Path) -> None:
    crops.save(tmp_path / "crops.npz")
    read = Crops.load(tmp_path / "crops.npz")
    assert read.files == crops.files
    for name in ("pixels", "field", "label", "weight"):
        assert (getattr(read, name) == getattr(crops, name)).all()


def test_only_the_cells_of_the_named_fields_are_kept(crops: Crops) -> None:
    kept = crops.of({"Pre/1"})
    assert {kept.files[index] for index in kept.field} == {"Pre/1"}
    assert set(kept.label) == {LABELS.index("Pre")}
    assert len(kept.label) > 0


def test_batches_are_balanced_bags_of_one_field_and_the_same_for_the_same_seed(crops: Crops) -> None:
    batches = CropBatches(crops, steps=4, batch=64, seed=1, variation=Variation())
    x, y = batches[0]
    assert x.shape == (64, CROP_SIZE, CROP_SIZE, 3)
    assert x.dtype == np.float32
    assert x.min() >= 0
    assert x.max() <= 1
    assert all(len(set(bag)) == 1 for bag in y.reshape(-1, BAG))
    again = CropBatches(crops, steps=4, batch=64, seed=1, variation=Variation())[0]
    assert (again[0] == x).all()
    labels = np.concatenate([batches[step][1] for step in range(4)])
    assert set(labels) == {0, 1, 2, 3}
    batches.epoch = 1
    assert not (batches[0][0] == x).all()


def test_the_background_stays_neutral_however_the_cell_is_varied(crops: Crops) -> None:
    varied = vary(crops.pixels[:BAG], np.random.default_rng(0), Variation())
    corners = varied[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert np.median(corners) == pytest.approx(NEUTRAL / 255)


def test_one_bag_has_one_stain() -> None:
    grey = np.full((2 * BAG, CUT_SIZE, CUT_SIZE, 4), 120, np.uint8)
    grey[..., 3] = 255
    varied = vary(grey, np.random.default_rng(0), Variation(blur=0)).mean(axis=(1, 2))
    assert np.ptp(varied[:BAG], axis=0) == pytest.approx(0, abs=1e-4)
    assert np.abs(varied[0] - varied[BAG]).max() > 1e-3


def test_without_variation_colours_stay(crops: Crops) -> None:
    plain = np.full((BAG, CUT_SIZE, CUT_SIZE, 4), 120, np.uint8)
    plain[..., 3] = 255
    assert vary(plain, np.random.default_rng(0), STILL) == pytest.approx(121 / 256, abs=0.01)
