"""Training the classifier on cells, on cells on neutral ground, or on whole fields, and scoring it by field."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from smear.classes import LABELS
from smear.metrics import accuracy, macro_f1
from train import models
from train.crops import CropBatches, Crops, Variation, pooled, shown
from train.fit import fit

OTHER = len(LABELS)  # index of the fifth logit: not a cell of these four classes
CELL_EPOCHS, CELL_STEPS, CELL_BATCH, CELL_RATE = 12, 100, 256, 2e-3
SMOOTHING = 0.1  # of the labels: a field's class is not every cell's


@dataclass(frozen=True, slots=True, eq=False)
class FieldScores:
    """What a classifier said of a list of fields."""

    files: tuple[str, ...]
    truth: np.ndarray  # int32 (n,)
    logits: np.ndarray  # float32 (n, 4), pooled over the field's cells

    @property
    def accuracy(self) -> float:
        """Share of fields whose best class is the true one."""
        return accuracy(self.truth, self.logits.argmax(axis=1))

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the four classes."""
        return macro_f1(self.truth, self.logits.argmax(axis=1), len(LABELS))


def cell_loss(labels: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    """Cross-entropy with smoothed labels over the four classes and OTHER."""
    target = keras.ops.one_hot(keras.ops.cast(keras.ops.reshape(labels, (-1,)), "int32"), logits.shape[-1])
    target = target * (1.0 - SMOOTHING) + SMOOTHING / logits.shape[-1]
    return -keras.ops.mean(keras.ops.sum(target * keras.ops.log_softmax(logits, axis=-1), axis=-1))


def fit_cells(
    crops: Crops,
    out: Path,
    *,
    seed: int = 0,
    epochs: int = CELL_EPOCHS,
    variation: Variation | None = None,
    resume: bool = False,
    verbose: int = 2,
) -> keras.Model:
    """Fit `smearnet` on the cells of training fields (and on OTHER cells) and save it as `out`/model.keras."""
    keras.utils.set_random_seed(seed)
    model = models.smearnet()
    batches = CropBatches(crops, CELL_STEPS, CELL_BATCH, seed, variation or Variation())
    fit(model, batches, cell_loss, out, epochs=epochs, rate=CELL_RATE, resume=resume, verbose=verbose)
    model.save(out / "model.keras")
    return model


def score_cells(model: keras.Model, crops: Crops) -> FieldScores:
    """Pool the logits of `model` over the cells of each field in `crops`."""
    logits = np.asarray(model.predict(shown(crops.pixels).astype(np.float32) / 255.0, batch_size=512, verbose=0))
    by_field = pooled(logits[:, :OTHER], crops)
    truth = {int(index): int(label) for index, label in zip(crops.field, crops.label, strict=True)}
    order: Sequence[int] = sorted(by_field)
    return FieldScores(
        tuple(crops.files[index] for index in order),
        np.array([truth[index] for index in order], np.int32),
        np.stack([by_field[index] for index in order]).astype(np.float32),
    )
