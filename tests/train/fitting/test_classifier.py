"""A cell classifier learns a colour in seconds, and whole fields are scored in order."""

import os
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("tensorflow", reason="training needs the extra 'train'")

import keras

from smear.classes import LABELS
from smear.images import write_image
from smear.imaging.resampling import FIELD_SIZE
from train.data.sampling.crops import BAG, CUT_SIZE, Crops, Variation
from train.data.sampling.whole_fields import paper_augmentation, whole_field
from train.fitting import classifier as module
from train.fitting.classifier import cell_loss, fit_cells, score_cells, score_fields
from train.networks import architectures

COLOURS = ((200, 60, 60), (60, 200, 60), (60, 60, 200), (190, 190, 60), (60, 60, 60))


def coloured(fields: int = 4) -> Crops:
    """Discs whose colour is their class; the fifth class is "other"."""
    y, x = np.mgrid[:CUT_SIZE, :CUT_SIZE] - CUT_SIZE // 2
    inside = x**2 + y**2 < 12**2
    label = np.repeat(np.arange(5, dtype=np.int32), fields * BAG)
    pixels = np.full((len(label), CUT_SIZE, CUT_SIZE, 4), 230, np.uint8)
    pixels[..., 3] = 0
    for row, number in enumerate(label):
        pixels[row][inside] = (*COLOURS[number], 255)
    field = np.arange(len(label), dtype=np.int32) // BAG
    files = tuple(f"{index}" for index in range(5 * fields))
    return Crops(pixels, field, label, np.ones(len(label), np.float32), files)


def test_a_few_steps_separate_four_colours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CELL_STEPS", 12)
    monkeypatch.setattr(module, "CELL_BATCH", 40)
    crops = coloured()
    model = fit_cells(architectures.cellnet, crops, tmp_path, epochs=3, variation=Variation(blur=0))
    assert (tmp_path / "model.keras").is_file()
    known = crops.of(set(crops.files[:16]))
    scores = score_cells(model, known)
    assert scores.files == known.files[:16]
    assert scores.logits.shape == (16, 4)
    assert scores.accuracy > 0.9
    assert scores.macro_f1 > 0.85
    others = score_cells(model, crops.of(set(crops.files[16:])))
    assert others.ood_scores.min() > 0.5 > scores.ood_scores.max()


def test_a_bag_whose_mean_is_right_costs_less_than_one_whose_mean_is_wrong() -> None:
    labels = np.zeros(BAG, np.int32)
    mostly, hardly = np.zeros((BAG, 5), np.float32), np.zeros((BAG, 5), np.float32)
    mostly[:6, 0], mostly[6:, 1] = 4, 4
    hardly[:2, 0], hardly[2:, 1] = 4, 4
    assert float(cell_loss(labels, mostly)) < float(cell_loss(labels, hardly))


def test_right_logits_cost_little() -> None:
    labels = np.repeat(np.arange(4, dtype=np.int32), BAG)
    logits = np.eye(5, dtype=np.float32)[labels] * 5
    assert float(cell_loss(labels, logits)) < 0.5
    assert float(cell_loss(labels, -logits)) > 2


def test_whole_fields_are_scored_in_the_order_they_were_given(tmp_path: Path) -> None:
    fields = []
    for number, label in enumerate(("Pro", "Benign", "Pre")):
        path = tmp_path / f"{number}.png"
        write_image(path, np.full((FIELD_SIZE, FIELD_SIZE, 3), COLOURS[LABELS.index(label)], np.uint8))
        fields.append((path, label))
    inputs = keras.Input((FIELD_SIZE, FIELD_SIZE, 3))
    dense = keras.layers.Dense(4, activation="softmax")
    model = keras.Model(inputs, dense(keras.layers.GlobalAveragePooling2D()(inputs)))
    mean = np.array(COLOURS[:4], np.float32) / 255
    dense.set_weights([mean.T * 60, -(mean**2).sum(axis=1) * 30])  # the nearest colour
    scores = score_fields(model, fields, whole_field)
    assert scores.files == tuple(str(path) for path, _ in fields)
    assert scores.truth.tolist() == [3, 0, 2]
    assert scores.accuracy == 1


def test_the_papers_augmentation_keeps_size_and_range() -> None:
    pictures = np.random.default_rng(0).random((2, 64, 64, 3)).astype(np.float32)
    varied = np.asarray(paper_augmentation()(pictures, training=True))
    assert varied.shape == pictures.shape
    assert varied.min() >= 0
    assert varied.max() <= 1
    assert not np.allclose(varied, pictures)
    assert np.allclose(np.asarray(paper_augmentation()(pictures, training=False)), pictures)
