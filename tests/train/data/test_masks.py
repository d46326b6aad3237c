"""Masks of every source in one set of codes, and the batches a segmenter learns from."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("tensorflow", reason="training needs the extra 'train'")

from smear.errors import DatasetError
from train.data.masks import (
    BG,
    CELL,
    CYTO,
    HELD_OUT_EVERY,
    IGNORE,
    NUC,
    MaskedBatches,
    foreign_masks,
    hand_drawn_masks,
    synthetic_masks,
)


def make(root: Path, source: str, count: int = 10) -> Path:
    folder = root / "wbc_masks" / source
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    mask = np.zeros((60, 80), np.uint8)
    mask[10:50, 20:60], mask[20:40, 30:50] = 128, 255
    for index in range(count):
        cv2.imwrite(str(folder / "images" / f"{index:02}.png"), np.full((60, 80, 3), (200, 30, 40), np.uint8))
        cv2.imwrite(str(folder / "masks" / f"{index:02}.png"), mask)
    return root


def test_every_picture_is_either_trained_on_or_held_out(tmp_path: Path) -> None:
    make(tmp_path, "bccd")
    pictures = {held_out: foreign_masks(tmp_path, "bccd", held_out) for held_out in (False, True)}
    kept, held = ([m.name for m in pictures[held_out]] for held_out in (False, True))
    assert sorted(kept + held) == [f"{i:02}" for i in range(10)]
    assert len(held) == 10 // HELD_OUT_EVERY


def test_expert_masks_keep_their_parts_and_pictures_become_rgb(tmp_path: Path) -> None:
    (first, *_) = foreign_masks(make(tmp_path, "bccd"), "bccd", held_out=False)
    assert set(np.unique(first.codes)) == {BG, CYTO, NUC}
    assert first.codes[30, 40] == NUC
    assert first.image[0, 0].tolist() == [40, 30, 200]  # OpenCV wrote BGR
    low, high = first.zoom
    assert 0 < low < high


def test_binary_masks_become_cells_without_parts(tmp_path: Path) -> None:
    (first, *_) = foreign_masks(make(tmp_path, "sigtuple"), "sigtuple", held_out=False)
    assert set(np.unique(first.codes)) == {BG, CELL}


def test_a_picture_without_its_mask_is_named(tmp_path: Path) -> None:
    make(tmp_path, "bccd")
    (tmp_path / "wbc_masks" / "bccd" / "masks" / "03.png").unlink()
    with pytest.raises(DatasetError, match=r"no mask for 03\.png"):
        foreign_masks(tmp_path, "bccd", held_out=False)


def test_a_mask_of_another_size_is_named(tmp_path: Path) -> None:
    cv2.imwrite(str(make(tmp_path, "bccd") / "wbc_masks" / "bccd" / "masks" / "03.png"), np.zeros((30, 40), np.uint8))
    with pytest.raises(DatasetError, match=r"03\.png: its mask has 40x30 pixels, the picture 80x60"):
        foreign_masks(tmp_path, "bccd", held_out=False)


def test_a_drawn_mask_needs_no_labels_of_single_cells(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for folder, shape in (("taleqani/Original/Pre", (60, 80, 3)), ("taleqani_masks/Pre", (60, 80))):
        (tmp_path / folder).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / folder / f"a.{'jpg' if len(shape) == 3 else 'png'}"), np.zeros(shape, np.uint8))
    assert hand_drawn_masks(tmp_path)[0].objects is None
    assert "can't open" not in capfd.readouterr().err


def test_without_drawn_masks_the_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="taleqani_masks: no masks found"):
        hand_drawn_masks(tmp_path)


def test_the_drawn_masks_are_cells_background_and_doubt(data_dir: Path) -> None:
    fields = hand_drawn_masks(data_dir)
    assert len(fields) == 32
    assert {masked.source for masked in fields} == {"Benign", "Early", "Pre", "Pro"}
    for masked in fields:
        assert masked.image.shape == (*masked.codes.shape, 3)
        assert set(np.unique(masked.codes)) <= {BG, CELL, IGNORE}
        assert (masked.codes == CELL).any()


def test_batches_are_tensors_of_a_model_with_whole_codes_and_follow_the_seed() -> None:
    fields = synthetic_masks(3, 0)
    batches = MaskedBatches([(fields[:2], 0.7), (fields[2:], 0.3)], steps=2, batch=4, seed=5)
    x, y = batches[0]
    assert len(batches) == 2
    assert x.shape == (4, 224, 224, 3)
    assert x.dtype == np.float32
    assert 0 <= x.min() < x.max() <= 1
    assert y.dtype == np.uint8
    assert set(np.unique(y)) <= {BG, CYTO, NUC}
    assert (MaskedBatches([(fields[:2], 0.7), (fields[2:], 0.3)], 2, 4, seed=5)[0][0] == x).all()
    batches.epoch = 1
    assert not (batches[0][0] == x).all()
