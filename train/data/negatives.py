"""Negatives for a classifier of single cells: what it must recognise as none of the four classes."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from smear.classes import LABELS
from smear.imaging.resampling import to_model_scale
from train.data.masks import PIXEL_SIZE_UM, foreign_masks
from train.data.sampling.crops import CUT_SIZE, MARGIN, Crops, Segment, cut_cells, joined
from train.data.variation import augmentation

OTHER_LABEL = len(LABELS)
SYNTHETIC = 2500  # negatives made from training cells: about half as many as there are foreign ones per class
MIN_BACKGROUND_PX = 120  # of a negative that is cut out of the background


def foreign_cells(root: Path, segment: Segment) -> Crops:
    """Return normal leukocytes of other laboratories, found by the segmenter, at their own and at field scale."""
    parts = []
    for source, pixel_size in PIXEL_SIZE_UM.items():
        for masked in foreign_masks(root, source, held_out=False):
            for scale in (pixel_size, None):
                view = to_model_scale(masked.image, scale)
                pixels, weights = cut_cells(view, segment(view))
                parts.append(Crops.of_field(f"{source}/{masked.name}", OTHER_LABEL, pixels, weights))
    return joined(parts)


def synthetic_negatives(crops: Crops, seed: int) -> Crops:
    """Make negatives from the cells of `crops`: pieces of background, wrong hues, or cells without texture."""
    rng = np.random.default_rng(seed)
    made: list[NDArray[np.uint8]] = []
    for row in rng.permutation(len(crops.label)):
        if len(made) == SYNTHETIC:
            break
        kind = rng.random()
        changed = _background(crops.pixels[row], rng) if kind < 0.5 else _corrupted(crops.pixels[row], rng)
        if changed is not None:
            made.append(changed)
    names = tuple(f"synthetic-negative-{i}" for i in range(len(made)))
    index = np.arange(len(made), dtype=np.int32)
    return Crops(
        np.stack(made), index, np.full(len(made), OTHER_LABEL, np.int32), np.ones(len(made), np.float32), names
    )


def _corrupted(cell: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a cell in a hue no Romanowsky stain has, blurred beyond any focus, or with its pixels shuffled."""
    changed, kind = cell.copy(), rng.random()
    rgb = cell[..., :3]
    if kind < 0.6:
        changed[..., :3] = augmentation.shift_hue(rgb, rng)
    elif kind < 0.8:
        changed[..., :3] = augmentation.defocus(rgb, rng)
    else:
        changed[..., :3] = rng.permutation(rgb.reshape(-1, 3)).reshape(rgb.shape)
    return changed


def _background(cell: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8] | None:
    """Return the background beside a cell, cut out in the cell's own shape; None where that may be another cell."""
    inside = cell[..., 3] > 127
    shift = rng.integers(-26, 27, 2)
    if abs(shift).sum() < 24:
        return None
    beside = np.roll(inside, shift, (0, 1)) & ~(cv2.dilate(inside.astype(np.uint8), np.ones((5, 5))) > 0)
    if beside[MARGIN:-MARGIN, MARGIN:-MARGIN].sum() < MIN_BACKGROUND_PX:
        return None
    red_green = cv2.cvtColor(np.ascontiguousarray(cell[..., :3]), cv2.COLOR_RGB2LAB)[..., 1].astype(int)
    too_violet = red_green[beside].mean() > red_green[inside].mean() - 8
    if too_violet or np.percentile(red_green[beside], 90) > np.median(red_green[inside]) - 3:
        return None
    rows, columns = np.nonzero(beside)
    centring = (CUT_SIZE // 2 - int(rows.mean()), CUT_SIZE // 2 - int(columns.mean()))
    changed = np.roll(cell, centring, (0, 1)).copy()
    changed[..., 3] = np.roll(beside, centring, (0, 1)) * 255
    return changed
