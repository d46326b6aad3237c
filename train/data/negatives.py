"""Bodies that are no cell of the four classes: what a classifier must learn to leave alone."""

from pathlib import Path

import cv2
import numpy as np

from smear.imaging.resampling import to_model_scale
from train.data import augmentation
from train.data.crops import CUT_SIZE, MARGIN, Crops, cut, joined
from train.data.masks import PIXEL_SIZE_UM, foreign
from train.fitting.segmenter import Segment

OTHER_LABEL = 4
MADE_UP = 2500  # bodies made from training cells, about half as many as there are foreign ones per class
MIN_GROUND_PX = 120


def foreign_cells(root: Path, segment: Segment) -> Crops:
    """Return normal leukocytes of other laboratories, found by the segmenter, at their own and at field scale."""
    parts = []
    for source, pixel_size in PIXEL_SIZE_UM.items():
        for masked in foreign(root, source, held_out=False):
            for scale in (pixel_size, None):
                view = to_model_scale(masked.image, scale)
                pixels, say = cut(view, segment(view))
                parts.append(Crops.of_field(f"{source}/{masked.name}", OTHER_LABEL, pixels, say))
    return joined(parts)


def made_up(crops: Crops, seed: int, count: int = MADE_UP) -> Crops:
    """Make bodies that are no cells from those of `crops`: cut out of the ground, in wrong hues, or textureless."""
    rng = np.random.default_rng(seed)
    made: list[np.ndarray] = []
    for row in rng.permutation(len(crops.label)):
        if len(made) == count:
            break
        kind = rng.random()
        changed = _ground(crops.pixels[row], rng) if kind < 0.5 else _spoilt(crops.pixels[row], rng)
        if changed is not None:
            made.append(changed)
    names = tuple(f"made-up-{i}" for i in range(len(made)))
    index = np.arange(len(made), dtype=np.int32)
    return Crops(
        np.stack(made), index, np.full(len(made), OTHER_LABEL, np.int32), np.ones(len(made), np.float32), names
    )


def _spoilt(cell: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a cell in a hue no Romanowsky stain has, blurred beyond any focus, or with its pixels shuffled."""
    changed, kind = cell.copy(), rng.random()
    rgb = cell[..., :3]
    if kind < 0.6:
        changed[..., :3] = augmentation.other_hue(rgb, rng)
    elif kind < 0.8:
        changed[..., :3] = augmentation.beyond_focus(rgb, rng)
    else:
        changed[..., :3] = rng.permutation(rgb.reshape(-1, 3)).reshape(rgb.shape)
    return changed


def _ground(cell: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """Return what lies beside a cell, cut in the cell's own shape; None where that may be another cell."""
    inside = cell[..., 3] > 127
    shift = rng.integers(-26, 27, 2)
    if abs(shift).sum() < 24:
        return None
    beside = np.roll(inside, shift, (0, 1)) & ~(cv2.dilate(inside.astype(np.uint8), np.ones((5, 5))) > 0)
    if beside[MARGIN:-MARGIN, MARGIN:-MARGIN].sum() < MIN_GROUND_PX:
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
