"""The paper's own protocol for segmentation: fitted to masks of an HSV threshold, and what drawn masks say of it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np

from smear.images import read_image
from smear.imaging.resampling import to_model_scale
from smear.imaging.stain_normalization import hsv_mask
from smear.metrics import bootstrap_interval
from smear.progress import progress
from train.data.dataset import Record, masked_files
from train.data.masks import BG, CELL, IGNORE, Masked, MaskedBatches, drawn
from train.evaluation.threshold_masks import CELL as DRAWN_CELL
from train.evaluation.threshold_masks import IGNORE as DRAWN_IGNORE
from train.evaluation.threshold_masks import MaskScore, score
from train.fitting.segmenter import Segment, build, cells_of, loss_of, segment_with
from train.fitting.training_loop import fit

EPOCHS, STEPS, BATCH, RATE = 4, 60, 8, 1e-3
STRENGTH = 0.0  # of stain changes: the paper's augmentations are of shape and light alone


@dataclass(frozen=True, slots=True)
class Protocol:
    """What the protocol says of itself, and what drawn masks say of it."""

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


def hsv_masked(records: Sequence[Record], quiet: bool = False) -> list[Masked]:
    """Return every field with the mask that the paper's threshold gives it, mistakes and all."""
    fields = []
    for record in progress(records, "HSV masks", quiet):
        image = to_model_scale(read_image(record.path)).pixels
        codes = np.where(hsv_mask(image), CELL, BG).astype(np.uint8)
        fields.append(Masked(record.file, record.label, image, codes, (0.8, 1.25)))
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
    quiet: bool = False,
) -> Protocol:
    """Fit `model` to the HSV masks of `train`, but for the fields with a drawn mask, and score it twice."""
    left_out = set(masked_files(root / "taleqani_masks"))
    taught = hsv_masked([record for record in train if record.file not in left_out], quiet)
    network = build(model)
    batches = MaskedBatches([(taught, 1.0)], STEPS, BATCH, seed=1, strength=STRENGTH)
    fit(network, batches, loss_of(model), out, epochs=epochs, rate=RATE, resume=resume)
    network.save(out / "model.keras")
    return judged(network, root, test, epochs, quiet)


def judged(network: keras.Model, root: Path, test: Sequence[Record], epochs: int, quiet: bool = False) -> Protocol:
    """Score `network` on the HSV masks of `test` and on every drawn mask."""
    segment = segment_with(network)
    own = _scores(segment, hsv_masked(test, quiet), quiet)
    true = _scores(segment, drawn(root), quiet)
    bounds = [
        bootstrap_interval(np.array([s.dice for s in scores]), range(len(scores)), lambda drawn: float(drawn.mean()), 0)
        for scores in (own, true)
    ]
    return Protocol(
        network.name, epochs,
        _mean(own, "dice"), *bounds[0], _mean(own, "accuracy"), len(own),
        _mean(true, "dice"), *bounds[1], _mean(true, "accuracy"), len(true),
    )  # fmt: skip


def _scores(segment: Segment, fields: Sequence[Masked], quiet: bool) -> list[MaskScore]:
    scores = []
    for masked in progress(fields, "Scoring", quiet):
        found = cells_of(segment, to_model_scale(masked.image))
        truth = np.select([masked.codes == CELL, masked.codes == IGNORE], [DRAWN_CELL, DRAWN_IGNORE], 0)
        scores.append(score("protocol", f"{masked.source}/{masked.name}", found, truth))
    return scores


def _mean(scores: Sequence[MaskScore], name: str) -> float:
    return float(np.mean([getattr(one, name) for one in scores]))


def plain(found: Protocol) -> dict[str, object]:
    """Return `found` as it is stored."""
    return dict(asdict(found))
