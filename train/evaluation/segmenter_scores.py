"""Scores of a Keras segmenter on pictures with masks: Dice of cells and nuclei, and cells found."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from smear.imaging.cell_detection import find_cells
from smear.imaging.resampling import to_model_scale
from smear.metrics import dice, match_objects
from train.data.masks import BG, IGNORE, NUC, PIXEL_SIZE_UM, MaskedImage
from train.data.sampling.crops import Segment
from train.networks.segmentation import masks_in_frame, segment_with


@dataclass(frozen=True, slots=True)
class Score:
    """The scores of one picture; `nucleus` and `objects` are None where they were not outlined."""

    name: str
    source: str
    cell: float  # Dice
    nucleus: float | None  # Dice
    objects: tuple[int, int, int] | None = None  # matched, outlined, found; see smear.metrics.match_objects


def score(model: keras.Model, fields: Sequence[MaskedImage]) -> list[Score]:
    """Score `model` on `fields`, each brought to the models' scale first."""
    segment = segment_with(model)
    return [_score_one(segment, masked) for masked in fields]


def _score_one(segment: Segment, masked: MaskedImage) -> Score:
    view = to_model_scale(masked.image, PIXEL_SIZE_UM.get(masked.source))
    probabilities = segment(view)
    cell, nuclei = masks_in_frame(probabilities, view)
    known = masked.codes != IGNORE
    nucleus = objects = None
    if (masked.codes == NUC).any():
        nucleus = dice(nuclei & known, masked.codes == NUC)
    if masked.objects is not None:
        objects = match_objects(masked.objects, _within(find_cells(probabilities, view).labels, known))
    cell_dice = dice(cell & known, (masked.codes != BG) & known)
    return Score(masked.name, masked.source, cell_dice, nucleus, objects)


def _within(labels: NDArray[Any], known: NDArray[np.bool_]) -> NDArray[Any]:
    """Return the label map without objects of which most lies where bool `known` is False."""
    sizes = np.bincount(labels.ravel())
    seen = np.bincount(labels[known], minlength=len(sizes))
    return np.where((2 * seen >= sizes)[labels] & known, labels, 0)
