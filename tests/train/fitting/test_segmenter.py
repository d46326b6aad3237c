"""The masks that a segmenter is fitted to: thresholds with a margin, and a teacher's pseudo-labels."""

import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("tensorflow", reason="training needs the extra 'train'")

from smear.synthetic import render
from train.data.masks import BG, CELL, CYTO, IGNORE, NUC, hand_drawn_masks
from train.evaluation.segmenter_scores import score
from train.fitting.mask_pools import FOLDS, folds, threshold_masks
from train.fitting.pseudo_labels import pseudo_label
from train.networks import architectures


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data root of four rendered fields a class, one of each with a drawn mask."""
    for label in ("Benign", "Pre"):
        masks, pictures = tmp_path / "taleqani_masks" / label, tmp_path / "taleqani" / "Original" / label
        masks.mkdir(parents=True)
        pictures.mkdir(parents=True)
        for number in range(4):
            field = render(label, number)
            cv2.imwrite(str(pictures / f"{label}-{number}.jpg"), field.image[..., ::-1])
        cv2.imwrite(str(masks / f"{label}-0.png"), np.where(field.mask.cell, 255, 0).astype(np.uint8))
        _, apart = cv2.connectedComponents(field.mask.cell.astype(np.uint8))
        cv2.imwrite(str(masks / f"{label}-0_cells.png"), apart.astype(np.uint16))
    return tmp_path


def test_around_a_thresholded_cell_pixels_are_ignored(root: Path) -> None:
    fields = threshold_masks(root, {"Pre-0", "Benign-0"})
    assert {masked.name for masked in fields} <= {f"{label}-{n}" for label in ("Benign", "Pre") for n in (1, 2, 3)}
    for masked in fields:
        beside = cv2.dilate((masked.codes == CELL).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        assert (masked.codes == CELL).any()
        assert (masked.codes == BG).any()
        assert (masked.codes[beside & (masked.codes != CELL)] == IGNORE).all()


def test_a_teacher_labels_only_fields_that_nobody_drew(root: Path) -> None:
    labelled = pseudo_label(architectures.unet_light(), root)
    names = {masked.name for masked in labelled}
    assert {name for name in names if name.startswith("Benign")} == {"Benign-1", "Benign-2", "Benign-3"}
    assert "Pre-0" not in names
    for masked in labelled:
        assert masked.codes.shape == (224, 224)
        assert set(np.unique(masked.codes)) <= {BG, CYTO, NUC, CELL, IGNORE}
        assert (masked.codes[-32:, -48:] == IGNORE).all()


def test_every_drawn_field_is_left_out_once_and_its_cells_are_counted(root: Path) -> None:
    fields = [replace(m, name=f"{m.name}-{k}") for m in hand_drawn_masks(root) for k in range(FOLDS)]
    tests = [masked.name for _, test in folds(fields) for masked in test]
    assert sorted(tests) == sorted(masked.name for masked in fields)
    assert all(not {m.name for m in train} & {m.name for m in test} for train, test in folds(fields))
    (scored,) = score(architectures.unet_light(), fields[:1])
    assert scored.objects is not None
    matched, outlined, found = scored.objects
    assert outlined == len(np.unique(fields[0].objects)) - 1
    assert 0 <= matched <= min(outlined, found)
