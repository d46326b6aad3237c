"""Training the classifier on cells, on cells on neutral ground, or on whole fields, and scoring it by field."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from smear.classes import LABELS
from smear.imaging.resampling import FIELD_SIZE
from smear.inference.aggregation import out_of_distribution_score, pool
from smear.metrics import accuracy, macro_f1
from train.data.crops import BAG, CropBatches, Crops, Variation, shown
from train.data.masked_fields import NeutralBatches, NeutralFields, on_white
from train.data.masked_fields import Variation as FieldVariation
from train.data.masks import Masked
from train.data.whole_fields import FieldBatches, paper_augmentation
from train.fitting.training_loop import fit, fit_once
from train.networks import architectures
from train.networks.backbone import load_imagenet

OTHER = len(LABELS)  # index of the fifth logit: not a cell of these four classes
CELL_EPOCHS, CELL_STEPS, CELL_BATCH, CELL_RATE = 16, 100, 256, 2e-3
NEUTRAL_EPOCHS, NEUTRAL_STEPS, NEUTRAL_BATCH, NEUTRAL_RATE = 40, 60, 32, 1e-3
REFIT_EPOCHS = 40  # on the validation part too, once temperature and thresholds are fitted
FIELD_EPOCHS, FIELD_BATCH, FIELD_RATE = 30, 16, 1e-3
SMOOTHING = 0.05  # of the labels
CELL_SHARE = 0.3  # of the loss that each cell bears alone; the rest is its bag's


@dataclass(frozen=True, slots=True, eq=False)
class FieldScores:
    """What a classifier said of a list of fields."""

    files: tuple[str, ...]
    truth: np.ndarray  # int32 (n,)
    logits: np.ndarray  # float32 (n, 4), pooled over the field's cells
    out_of_distribution_score: np.ndarray  # float32 (n,), share of its cells taken for something else

    @property
    def accuracy(self) -> float:
        """Share of fields whose best class is the true one."""
        return accuracy(self.truth, self.logits.argmax(axis=1))

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the four classes."""
        return macro_f1(self.truth, self.logits.argmax(axis=1), len(LABELS))


def cell_loss(labels: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    """Cross-entropy of each cell and of each bag's mean logits, over the four classes and OTHER.

    The mean over a bag is what the device does with a field (`aggregation.pool`): many a cell tells nothing,
    and only the field's label is known to be true.
    """
    target = keras.ops.one_hot(keras.ops.cast(keras.ops.reshape(labels, (-1,)), "int32"), logits.shape[-1])
    bags = keras.ops.mean(keras.ops.reshape(logits, (-1, BAG, logits.shape[-1])), axis=1)
    return CELL_SHARE * _entropy(target, logits) + (1.0 - CELL_SHARE) * _entropy(target[::BAG], bags)


def _entropy(target: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    smooth = target * (1.0 - SMOOTHING) + SMOOTHING / logits.shape[-1]
    return -keras.ops.mean(keras.ops.sum(smooth * keras.ops.log_softmax(logits, axis=-1), axis=-1))


def map_loss(labels: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    """Cross-entropy of the mean of each field's map, float32 (n, h, w, 5), with its label, int32 (n,)."""
    target = keras.ops.one_hot(keras.ops.cast(keras.ops.reshape(labels, (-1,)), "int32"), logits.shape[-1])
    return _entropy(target, keras.ops.mean(logits, axis=(1, 2)))


def fit_neutral(
    fields: NeutralFields,
    others: Sequence[Masked],
    drawn: Sequence[Masked],
    out: Path,
    *,
    weights: str = "imagenet",
    begun: keras.Model | None = None,
    seed: int = 0,
    epochs: int = NEUTRAL_EPOCHS,
    variation: FieldVariation | None = None,
    resume: bool = False,
    verbose: int = 2,
) -> keras.Model:
    """Fit `smearnet` on training fields, with the cells on neutral ground, and save it as `out`/model.keras.

    It goes on from the model `begun`, which is changed, or starts from `weights`.
    """
    keras.utils.set_random_seed(seed)

    def start() -> keras.Model:
        if begun is not None:
            return begun
        model = architectures.smearnet()
        if weights == "imagenet":
            load_imagenet(model)
        return model

    def draw() -> NeutralBatches:
        varied = variation or FieldVariation()
        return NeutralBatches(fields, others, drawn, NEUTRAL_STEPS, NEUTRAL_BATCH, seed, varied)

    return fit_once(start, draw, map_loss, out, epochs=epochs, rate=NEUTRAL_RATE, resume=resume, verbose=verbose)


def score_neutral(model: keras.Model, fields: NeutralFields, ground: bool = False) -> FieldScores:
    """Return what `model` says of `fields`, pooled over the cells of each as the device does; `ground`: it is shown."""
    seen = np.unique(fields.cells[:, 0].astype(int))  # the device asks nothing about a field without cells
    answers = []
    for start in range(0, len(seen), 64):
        pixels = fields.pixels[seen[start : start + 64]]
        shown = pixels[..., :3].astype(np.float32) / 255.0 if ground else on_white(pixels)
        answers.append(np.asarray(model.predict_on_batch(shown), np.float32).mean(axis=(1, 2)))
    logits, one = np.concatenate(answers), np.ones(1)
    return FieldScores(
        tuple(fields.files[row] for row in seen),
        fields.label[seen],
        np.stack([pool(row[np.newaxis], one) for row in logits]).astype(np.float32),
        np.array([out_of_distribution_score(row[np.newaxis], one) for row in logits], np.float32),
    )


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
    """Fit `cellnet` on the cells of training fields (and on OTHER cells) and save it as `out`/model.keras."""
    keras.utils.set_random_seed(seed)

    def draw() -> CropBatches:
        return CropBatches(crops, CELL_STEPS, CELL_BATCH, seed, variation or Variation())

    return fit_once(
        architectures.cellnet, draw, cell_loss, out, epochs=epochs, rate=CELL_RATE, resume=resume, verbose=verbose
    )


def fit_fields(
    model: keras.Model,
    fields: Sequence[tuple[Path, str]],
    prepare: Callable[[Path], np.ndarray],
    out: Path,
    *,
    seed: int = 0,
    epochs: int = FIELD_EPOCHS,
    resume: bool = False,
    verbose: int = 2,
) -> keras.Model:
    """Fit a classifier of whole fields with the paper's augmentation and save it as `out`/model.keras."""
    batches = FieldBatches(list(fields), prepare, size=FIELD_SIZE, batch=FIELD_BATCH, seed=seed)
    trained = keras.Sequential([keras.Input((FIELD_SIZE, FIELD_SIZE, 3)), paper_augmentation(), model])
    fit(trained, batches, field_loss, out, epochs=epochs, rate=FIELD_RATE, resume=resume, verbose=verbose)
    model.save(out / "model.keras")
    return model


def field_loss(labels: keras.KerasTensor, probabilities: keras.KerasTensor) -> keras.KerasTensor:
    """Cross-entropy of softmax outputs, as the paper's."""
    return keras.losses.sparse_categorical_crossentropy(labels, probabilities)


def score_fields(
    model: keras.Model,
    fields: Sequence[tuple[Path, str]],
    prepare: Callable[[Path], np.ndarray],
    size: int = FIELD_SIZE,
) -> FieldScores:
    """Return what a whole-field classifier says of `fields`, shown at `size` pixels."""
    batches = FieldBatches(list(fields), prepare, size=size, batch=FIELD_BATCH, seed=None)
    probabilities = np.concatenate([np.asarray(model.predict_on_batch(batches[i][0])) for i in range(len(batches))])
    truth = np.array([LABELS.index(label) for _, label in fields], np.int32)
    logits = np.log(np.maximum(probabilities, 1e-7))
    return FieldScores(tuple(str(path) for path, _ in fields), truth, logits, np.zeros(len(truth), np.float32))


def score_cells(model: keras.Model, crops: Crops) -> FieldScores:
    """Pool the logits of `model` over the cells of each field in `crops`."""
    logits = np.asarray(model.predict(shown(crops.pixels).astype(np.float32) / 255.0, batch_size=512, verbose=0))
    present = np.unique(crops.field)
    rows = [crops.field == index for index in present]
    return FieldScores(
        tuple(crops.files[index] for index in present),
        np.array([crops.label[row][0] for row in rows], np.int32),
        np.stack([pool(logits[row], crops.weight[row]) for row in rows]).astype(np.float32),
        np.array([out_of_distribution_score(logits[row], crops.weight[row]) for row in rows], np.float32),
    )
