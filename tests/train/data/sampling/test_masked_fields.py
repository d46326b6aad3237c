"""Masked fields are what the device shows, batches are balanced, and a few steps separate colours."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("tensorflow", reason="training needs the extra 'train'")

import keras

from convert.verification.parity import KerasRuntime
from smear.bundle.manifest import Classifier
from smear.classes import LABELS
from smear.imaging.cell_detection import clear_of_scale_bar, find_cells
from smear.imaging.masking import background_of
from smear.imaging.resampling import FIELD_SIZE, to_model_scale
from smear.inference.aggregation import MAP_STRIDE, aggregate, class_probabilities, read_maps
from smear.inference.classification import classify
from smear.synthetic import render
from train.data.masks import BG, CELL, MaskedImage, synthetic_masks
from train.data.sampling.masked_fields import (
    NEGATIVES,
    STAIN,
    MaskedFieldBatches,
    MaskedFields,
    Variation,
    mask_field,
    normalize_stain,
    on_neutral_background,
    transform,
    vary_stain,
)
from train.fitting import classifier as module
from train.fitting.classifier import fit_masked, map_loss, score_masked
from train.networks import architectures

COLOURS = tuple((150, 110, blue) for blue in (20, 90, 160, 250))  # stain normalisation makes red and green equal
STILL = Variation(dyes=0, mixing=0, gain=0, tint=0, zoom=0, edge_px=0, blur=0, jpeg=0)


def coloured(each: int = 3) -> MaskedFields:
    """Two discs a field, in the colour of its class."""
    y, x = np.mgrid[:FIELD_SIZE, :FIELD_SIZE]
    label = np.repeat(np.arange(4, dtype=np.int32), each)
    pixels = np.full((len(label), FIELD_SIZE, FIELD_SIZE, 4), 230, np.uint8)
    pixels[..., 3] = 0
    cells = []
    for row, number in enumerate(label):
        for cx, cy in ((80, 90), (150, 140)):
            pixels[row][(x - cx) ** 2 + (y - cy) ** 2 < 18**2] = (*COLOURS[number], 255)
            cells.append((row, cx, cy, 1.0))
    return MaskedFields(pixels, label, np.array(cells, np.float32), tuple(f"{row}" for row in range(len(label))))


def purple_elsewhere() -> list[MaskedImage]:
    image = np.full((FIELD_SIZE, FIELD_SIZE, 3), 240, np.uint8)
    codes = np.full((FIELD_SIZE, FIELD_SIZE), BG, np.uint8)
    image[60:160, 60:160], codes[60:160, 60:160] = (150, 30, 170), CELL
    return [MaskedImage("elsewhere", "elsewhere", image, codes, (0.8, 1.25))]


def at_centres(logits: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return read_maps(logits[np.newaxis], np.zeros(len(centres), int), centres)


def test_a_few_steps_tell_four_colours_and_a_fifth_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MASKED_STEPS", 20)
    monkeypatch.setattr(module, "MASKED_BATCH", 12)
    monkeypatch.setattr(module, "MASKED_RATE", 4e-3)
    fields = coloured()
    model = fit_masked(architectures.smearnet, fields, purple_elsewhere(), [], tmp_path, epochs=3, variation=STILL)
    assert (tmp_path / "model.keras").is_file()
    scores = score_masked(model, fields)
    assert scores.files == fields.files
    assert scores.accuracy > 0.9
    assert scores.ood_scores.shape == (len(fields.files),)


def test_continuing_changes_the_model_that_was_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MASKED_STEPS", 2)
    monkeypatch.setattr(module, "MASKED_BATCH", 4)
    begun = architectures.smearnet()
    before = [weight.copy() for weight in begun.get_weights()]
    model = fit_masked(lambda: begun, coloured(1), purple_elsewhere(), [], tmp_path, epochs=1)
    assert model is begun
    moved_by = [float(np.abs(a - b).max()) for a, b in zip(before, model.get_weights(), strict=True)]
    assert max(moved_by) > 0
    kernels = [m for m, w in zip(moved_by, before, strict=True) if w.ndim == 4]
    assert max(kernels) < 0.05  # a fresh start would be as far off as the weights are large


def test_the_device_reads_of_a_field_what_training_does() -> None:
    drawn = render("Pre", 7)
    view = to_model_scale(drawn.image)
    probabilities = np.dstack([~drawn.mask.cell, drawn.mask.cell, np.zeros_like(drawn.mask.cell)]).astype(np.float32)
    inputs = keras.Input((FIELD_SIZE, FIELD_SIZE, 3))
    pooled = keras.layers.AveragePooling2D(MAP_STRIDE)(inputs)
    network = keras.Model(inputs, keras.layers.Conv2D(5, 1)(pooled))
    field, cells = mask_field(view, probabilities)
    answer = np.asarray(network.predict_on_batch(on_neutral_background(field[np.newaxis])))[0]

    found = find_cells(probabilities, view)
    facts = Classifier(
        name="t", shown="cells", stain=STAIN, input_size=FIELD_SIZE, output="logits", other=True, temperature=1.3,
        abstain_below=0.5, levels={},
    )  # fmt: skip
    seen = [found.cells[i] for i in clear_of_scale_bar(view, found.cells)]
    verdict = classify(view, found.cell, background_of(view, found.cell), seen, _OnBytes(network), facts)
    assert len(seen) == len(cells) > 3
    assert verdict.cell_probabilities == pytest.approx(class_probabilities(at_centres(answer, cells[:, :2])), abs=1e-4)
    expected = aggregate(answer.mean(axis=(0, 1))[np.newaxis], np.ones(1), 1.3)
    assert verdict.probabilities == pytest.approx(expected.probabilities, abs=1e-4)
    assert verdict.ood_score == pytest.approx(expected.ood_score, abs=1e-4)


class _OnBytes(KerasRuntime):
    """Takes RGB uint8 as every runtime of the device does."""

    def invoke(self, tensor: np.ndarray) -> np.ndarray:
        return super().invoke(tensor.astype(np.float32) / 255.0)


def test_the_map_is_read_between_its_places() -> None:
    ramp = np.arange(14, dtype=np.float32)[np.newaxis, :, np.newaxis] * np.ones((14, 1, 1), np.float32)
    middle_of_place_3, between_3_and_4, beyond = (3.5 * 16, 40), (4 * 16, 40), (230.0, 40)
    read = at_centres(ramp, np.array([middle_of_place_3, between_3_and_4, beyond]))
    assert read[:, 0].tolist() == pytest.approx([3.0, 3.5, 13.0])


def test_recompression_keeps_the_colours() -> None:
    field = coloured(1).pixels[0]
    again = transform(field, np.random.default_rng(1), replace(STILL, jpeg=1.0))
    plain = transform(field, np.random.default_rng(1), STILL)
    inside = plain[..., 3] > 127
    assert (again != plain).any()
    assert np.abs(again[inside].mean(axis=0) - plain[inside].mean(axis=0)).max() < 12


def test_batches_hold_every_class_and_the_other_and_are_the_same_for_the_same_seed() -> None:
    def batches() -> MaskedFieldBatches:
        return MaskedFieldBatches(coloured(), purple_elsewhere(), synthetic_masks(4, 20_000), 2, 64, 3, Variation())

    x, y = batches()[0]
    assert x.shape == (64, FIELD_SIZE, FIELD_SIZE, 3)
    assert x.dtype == np.float32
    assert 0 <= x.min() < x.max() <= 1
    assert set(y.tolist()) == set(range(len(LABELS) + 1))
    again = batches()[0]
    assert (again[0] == x).all()
    assert (again[1] == y).all()
    later = batches()
    later.epoch = 1
    assert (later[0][0] != x).any()


def test_the_background_is_neutral_unless_it_is_asked_for() -> None:
    field, rng = normalize_stain(coloured(1).pixels[0], np.full(3, 250.0)), np.random.default_rng(0)
    outside = field[..., 3] == 0
    assert (vary_stain(field, rng, Variation())[outside] == 1).all()
    same = vary_stain(field, rng, STILL)
    assert np.abs(same - on_neutral_background(field[np.newaxis])[0]).max() < 0.01


def test_more_or_less_of_a_dye_is_normalised_again() -> None:
    field = coloured(1).pixels[2]
    field[..., :3] = np.where(np.arange(FIELD_SIZE)[:, np.newaxis] % 8 < 4, (120, 70, 190), (200, 190, 225))
    changed = [vary_stain(field, np.random.default_rng(seed), replace(STILL, dyes=0.4)) for seed in range(5)]
    inside = field[..., 3] > 0
    for image in changed:
        assert -np.log(image[inside][:, :2]).mean(axis=0) == pytest.approx(STAIN, abs=0.01)
    assert np.ptp([np.log(image[inside][:, 1]).std() for image in changed]) > 0.02  # how far light from dark is


def test_a_moved_field_keeps_the_share_of_cell_it_had() -> None:
    field = coloured(1).pixels[0]
    turned = transform(field, np.random.default_rng(1), STILL)
    assert (turned[..., 3] > 127).sum() == pytest.approx((field[..., 3] > 127).sum(), rel=0.05)


@pytest.mark.parametrize("make", NEGATIVES, ids=lambda f: f.__name__)
def test_a_negative_has_the_form_of_a_field_but_another_look(make) -> None:
    field = coloured(1).pixels[2]
    field[..., :3] -= np.random.default_rng(0).integers(0, 40, field[..., :3].shape, dtype=np.uint8)  # grain
    changed = make(field, np.random.default_rng(5))
    assert changed.shape == field.shape
    assert changed.dtype == np.uint8
    assert (on_neutral_background(changed[np.newaxis]) != on_neutral_background(field[np.newaxis])).any()


def test_a_map_whose_mean_is_right_costs_less_than_one_whose_mean_is_wrong() -> None:
    right, wrong = np.zeros((1, 2, 2, 5), np.float32), np.zeros((1, 2, 2, 5), np.float32)
    right[0, 0, 0, 0], wrong[0, 0, 0, 1] = 8, 8
    labels = np.zeros(1, np.int32)
    cost = [float(map_loss(labels, keras.ops.convert_to_tensor(z))) for z in (right, wrong)]
    assert cost[0] < cost[1]


def test_fields_are_chosen_by_name_with_their_cells(tmp_path: Path) -> None:
    fields = coloured()
    fields.save(tmp_path / "fields.npz")
    kept = MaskedFields.load(tmp_path / "fields.npz").of({"4", "7"})
    assert kept.files == ("4", "7")
    assert kept.cells[:, 0].tolist() == [0, 0, 1, 1]
    assert (kept.pixels[1] == fields.pixels[7]).all()


def test_smearnet_stays_within_its_budget() -> None:
    model = architectures.smearnet()
    assert model.output_shape == (None, FIELD_SIZE // MAP_STRIDE, FIELD_SIZE // MAP_STRIDE, len(LABELS) + 1)
    assert architectures.multiply_adds(model) <= 150_000_000
