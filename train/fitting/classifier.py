"""Training the classifier on masked fields, on single cells or on whole fields, and scoring it by field."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from smear.classes import LABELS
from smear.imaging.resampling import FIELD_SIZE
from smear.inference.aggregation import out_of_distribution_score, pool
from smear.metrics import accuracy, macro_f1
from train.data.masks import MaskedImage
from train.data.sampling import crops as single_cells
from train.data.sampling.crops import BAG, CropBatches, Crops
from train.data.sampling.masked_fields import MaskedFieldBatches, MaskedFields, on_neutral_background
from train.data.sampling.masked_fields import Variation as FieldVariation
from train.data.sampling.whole_fields import FieldBatches, paper_augmentation
from train.fitting.training_loop import fit, fit_once

CELL_STEPS, CELL_BATCH, CELL_RATE = 100, 256, 2e-3
MASKED_STEPS, MASKED_BATCH, MASKED_RATE = 60, 32, 1e-3
FIELD_BATCH, FIELD_RATE = 16, 1e-3
SMOOTHING = 0.05  # of the labels
CELL_SHARE = 0.3  # of the loss that is of single cells; the rest is of their bags
SCORED_AT_ONCE = 64  # fields

Start = Callable[[], keras.Model]
"""Returns the model that training starts from."""


@dataclass(frozen=True, slots=True, eq=False)
class FieldScores:
    """The answers of a classifier to a list of fields."""

    files: tuple[str, ...]
    truth: NDArray[np.int32]  # (n,)
    logits: NDArray[np.float32]  # (n, 4), pooled over the field's cells
    ood_scores: NDArray[np.float32]  # (n,), share of the cells classified as "other"

    @property
    def accuracy(self) -> float:
        """Share of fields whose best class is the true one."""
        return accuracy(self.truth, self.logits.argmax(axis=1))

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the classes."""
        return macro_f1(self.truth, self.logits.argmax(axis=1), len(LABELS))

    def rows(self, which: NDArray[Any]) -> "FieldScores":
        """Return the rows that the index array `which` selects."""
        files = tuple(self.files[i] for i in which)
        return FieldScores(files, self.truth[which], self.logits[which], self.ood_scores[which])


def cell_loss(labels: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    """Return the cross-entropy of each cell and of each bag's mean logits, over the four classes and "other".

    The mean over a bag is what the device takes of a field (`aggregation.pool`): many cells look alike in several
    classes, and only the label of the field is known.
    """
    target = keras.ops.one_hot(keras.ops.cast(keras.ops.reshape(labels, (-1,)), "int32"), logits.shape[-1])
    bags = keras.ops.mean(keras.ops.reshape(logits, (-1, BAG, logits.shape[-1])), axis=1)
    return CELL_SHARE * _entropy(target, logits) + (1.0 - CELL_SHARE) * _entropy(target[::BAG], bags)


def _entropy(target: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    smooth = target * (1.0 - SMOOTHING) + SMOOTHING / logits.shape[-1]
    return -keras.ops.mean(keras.ops.sum(smooth * keras.ops.log_softmax(logits, axis=-1), axis=-1))


def map_loss(labels: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    """Return the cross-entropy of the mean of each field's map, float32 (n, h, w, 5), with its label, int32 (n,)."""
    target = keras.ops.one_hot(keras.ops.cast(keras.ops.reshape(labels, (-1,)), "int32"), logits.shape[-1])
    return _entropy(target, keras.ops.mean(logits, axis=(1, 2)))


def field_loss(labels: keras.KerasTensor, probabilities: keras.KerasTensor) -> keras.KerasTensor:
    """Return the cross-entropy of softmax outputs, as in the paper."""
    return keras.losses.sparse_categorical_crossentropy(labels, probabilities)


def fit_masked(
    start: Start,
    fields: MaskedFields,
    others: Sequence[MaskedImage],
    synthetic: Sequence[MaskedImage],
    out: Path,
    *,
    epochs: int,
    seed: int = 0,
    variation: FieldVariation | None = None,
    resume: bool = False,
) -> keras.Model:
    """Fit the model of `start` to training fields with their background masked, and save it as `out`/model.keras.

    A model that is passed on by `start` is changed.
    """
    keras.utils.set_random_seed(seed)

    def draw() -> MaskedFieldBatches:
        varied = variation or FieldVariation()
        return MaskedFieldBatches(fields, others, synthetic, MASKED_STEPS, MASKED_BATCH, seed, varied)

    return fit_once(start, draw, lambda _: map_loss, out, epochs=epochs, rate=MASKED_RATE, resume=resume)


def score_masked(model: keras.Model, fields: MaskedFields) -> FieldScores:
    """Return the answers of `model` to `fields` that have cells.

    Each map is averaged, as on the device; so each field has one row of logits, of weight 1.
    """
    seen = np.unique(fields.cells[:, 0].astype(int))
    answers = []
    for start in range(0, len(seen), SCORED_AT_ONCE):
        pixels = fields.pixels[seen[start : start + SCORED_AT_ONCE]]
        answers.append(np.asarray(model.predict_on_batch(on_neutral_background(pixels)), np.float32).mean(axis=(1, 2)))
    logits, one = np.concatenate(answers), np.ones(1)
    return FieldScores(
        tuple(fields.files[row] for row in seen),
        fields.label[seen],
        np.stack([pool(row[np.newaxis], one) for row in logits]).astype(np.float32),
        np.array([out_of_distribution_score(row[np.newaxis], one) for row in logits], np.float32),
    )


def fit_cells(
    start: Start,
    crops: Crops,
    out: Path,
    *,
    epochs: int,
    seed: int = 0,
    variation: single_cells.Variation | None = None,
    resume: bool = False,
) -> keras.Model:
    """Fit the model of `start` to the cells of training fields and to negatives; save it as `out`/model.keras."""
    keras.utils.set_random_seed(seed)

    def draw() -> CropBatches:
        return CropBatches(crops, CELL_STEPS, CELL_BATCH, seed, variation or single_cells.Variation())

    return fit_once(start, draw, lambda _: cell_loss, out, epochs=epochs, rate=CELL_RATE, resume=resume)


def score_cells(model: keras.Model, crops: Crops) -> FieldScores:
    """Return the answers of `model` to the fields of `crops`, pooled over the cells of each."""
    inputs = single_cells.on_neutral_background(crops.pixels).astype(np.float32) / 255.0
    logits = np.asarray(model.predict(inputs, batch_size=512, verbose=0))
    present = np.unique(crops.field)
    rows = [crops.field == index for index in present]
    return FieldScores(
        tuple(crops.files[index] for index in present),
        np.array([crops.label[row][0] for row in rows], np.int32),
        np.stack([pool(logits[row], crops.weight[row]) for row in rows]).astype(np.float32),
        np.array([out_of_distribution_score(logits[row], crops.weight[row]) for row in rows], np.float32),
    )


def fit_fields(
    start: Start,
    fields: Sequence[tuple[Path, str]],
    prepare: Callable[[Path], NDArray[np.uint8]],
    out: Path,
    *,
    epochs: int,
    seed: int = 0,
    resume: bool = False,
) -> keras.Model:
    """Fit the model of `start` to whole fields with the paper's augmentation, and save it as `out`/model.keras."""
    keras.utils.set_random_seed(seed)
    model = start()
    batches = FieldBatches(list(fields), prepare, batch=FIELD_BATCH, seed=seed)
    trained = keras.Sequential([keras.Input((FIELD_SIZE, FIELD_SIZE, 3)), paper_augmentation(), model])
    fit(trained, batches, field_loss, out, epochs=epochs, rate=FIELD_RATE, resume=resume)
    model.save(out / "model.keras")
    return model


def score_fields(
    model: keras.Model, fields: Sequence[tuple[Path, str]], prepare: Callable[[Path], NDArray[np.uint8]]
) -> FieldScores:
    """Return the answers of a classifier of whole fields to `fields`, of path and label, as `prepare` reads them."""
    batches = FieldBatches(list(fields), prepare, batch=FIELD_BATCH, seed=None)
    probabilities = np.concatenate([np.asarray(model.predict_on_batch(batches[i][0])) for i in range(len(batches))])
    truth = np.array([LABELS.index(label) for _, label in fields], np.int32)
    logits = np.log(np.maximum(probabilities, 1e-7))
    return FieldScores(tuple(str(path) for path, _ in fields), truth, logits, np.zeros(len(truth), np.float32))
