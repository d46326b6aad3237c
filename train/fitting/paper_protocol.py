"""The paper's protocol for segmentation: a network fitted to masks of an HSV threshold, scored on two kinds of mask."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from smear.images import read_image
from smear.imaging.resampling import to_model_scale
from smear.imaging.stain_normalization import hsv_mask
from smear.progress import progress
from train.data.dataset import Record, masked_files
from train.data.masks import BG, CELL, FIELD_ZOOM, IGNORE, MaskedBatches, MaskedImage, hand_drawn_masks
from train.data.sampling.crops import Segment
from train.evaluation.shares import share
from train.evaluation.threshold_masks import CELL as DRAWN_CELL
from train.evaluation.threshold_masks import IGNORE as DRAWN_IGNORE
from train.evaluation.threshold_masks import MaskScore, score
from train.fitting.segmenter import loss_of
from train.fitting.training_loop import fit
from train.networks.registry import NETWORKS
from train.networks.segmentation import masks_in_frame, segment_with

EPOCHS, STEPS, BATCH, RATE = 4, 60, 8, 1e-3
STRENGTH = 0.0  # of the stain's variation: the paper's augmentations change shape and light alone


@dataclass(frozen=True, slots=True)
class Protocol:
    """Scores against HSV masks, as in the paper, and against masks drawn by hand."""

    model: str
    epochs: int
    hsv_dice: float
    hsv_low: float
    hsv_high: float
    hsv_accuracy: float  # of pixels
    hsv_n: int
    drawn_dice: float
    drawn_low: float
    drawn_high: float
    drawn_accuracy: float
    drawn_n: int


def hsv_masked(records: Sequence[Record]) -> list[MaskedImage]:
    """Return every field with the mask that the paper's threshold gives it, errors included."""
    fields = []
    for record in progress(records, "HSV masks"):
        image = to_model_scale(read_image(record.path)).pixels
        codes = np.where(hsv_mask(image), CELL, BG).astype(np.uint8)
        fields.append(MaskedImage(record.file, record.label, image, codes, FIELD_ZOOM))
    return fields


def run(
    root: Path,
    train: Sequence[Record],
    test: Sequence[Record],
    out: Path,
    *,
    model: str = "unet",
    epochs: int = EPOCHS,
    resume: bool = False,
) -> Protocol:
    """Fit `model` to the HSV masks of `train`, without the fields that have a mask drawn by hand, and score it."""
    left_out = set(masked_files(root / "taleqani_masks"))
    masked = hsv_masked([record for record in train if record.file not in left_out])
    network = NETWORKS.find(model).create()
    batches = MaskedBatches([(masked, 1.0)], STEPS, BATCH, seed=1, strength=STRENGTH)
    fit(network, batches, loss_of(network), out, epochs=epochs, rate=RATE, resume=resume)
    network.save(out / "model.keras")
    return evaluate(network, root, test, epochs)


def evaluate(network: keras.Model, root: Path, test: Sequence[Record], epochs: int) -> Protocol:
    """Score `network` on the HSV masks of `test` and on every mask drawn by hand."""
    segment = segment_with(network)
    hsv = _scores(segment, hsv_masked(test))
    drawn = _scores(segment, hand_drawn_masks(root))
    return Protocol(network.name, epochs, *_summary(hsv), *_summary(drawn))


def _summary(scores: Sequence[MaskScore]) -> tuple[float, float, float, float, int]:
    """Return mean Dice with its interval, mean pixel accuracy, and n."""
    dice = share("Dice", [one.dice for one in scores], [one.file for one in scores])
    return dice.value, dice.low, dice.high, float(np.mean([one.accuracy for one in scores])), dice.n


def _scores(segment: Segment, fields: Sequence[MaskedImage]) -> list[MaskScore]:
    scores = []
    for masked in progress(fields, "Scoring"):
        view = to_model_scale(masked.image)
        found, _ = masks_in_frame(segment(view), view)
        truth = np.select([masked.codes == CELL, masked.codes == IGNORE], [DRAWN_CELL, DRAWN_IGNORE], 0)
        scores.append(score("protocol", f"{masked.source}/{masked.name}", found, truth.astype(np.uint8)))
    return scores
