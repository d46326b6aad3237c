"""Fields rearranged to find out what a model looks at: cells painted out or moved, scale bars swapped."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from smear.imaging.masking import scale_bar_box
from smear.imaging.resampling import to_model_scale
from smear.imaging.stain_normalization import background_colour
from train.data.background import BAR_MARGIN_PX, background_mask, outside_scale_bar

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]

TRIES = 200  # shifts tried for each hole; with more, no fewer pixels are left to the last resort
BEST = 8  # of them that are used, one after the other, each for the pixels that the better ones do not cover
HALO_PX = 3  # around a cell's mask: the fringe that its blur still tints is painted out with it
SEAM_PX = 1.2  # sigma of the feathered edge: at the rim of the cell, HALO_PX inside the hole, only the fill is seen


def paint_out(image: Image, cell: Mask, rng: np.random.Generator) -> Image:
    """Return a field, RGB uint8 (224, 224, 3), with everything violet and bool `cell` replaced by its own background.

    Each hole is filled with pixels of the same field, all taken at one shift, so that glass, grain and red cells look
    as before. More than `cell` is painted out, namely whatever a wide threshold calls violet, so that no cell that the
    segmenter missed can give the class away. The scale bar's corner stays as it is, and fills no hole.
    """
    view = to_model_scale(image)
    own = background_mask(view)
    hole = _dilated(cell, HALO_PX) | (outside_scale_bar(view) & ~own)
    out, clean = image.copy(), own & ~hole
    count, parts, boxes, _ = cv2.connectedComponentsWithStats(hole.astype(np.uint8), connectivity=8)
    for part in range(1, count):
        x, y, width, height = boxes[part, :4]
        window = np.s_[y : y + height, x : x + width]
        _fill(out, image, clean, parts[window] == part, (int(x), int(y)), rng)
    soft = cv2.GaussianBlur(hole.astype(np.float32), (0, 0), SEAM_PX)[..., np.newaxis]
    return _blended(out, image, soft)


def _fill(out: Image, image: Image, clean: Mask, hole: Mask, corner: tuple[int, int], rng: np.random.Generator) -> None:
    """Fill bool `hole`, whose box begins at `corner` (x, y), in place, from the shifts that cover most of it."""
    height, width = hole.shape
    rows, columns = np.nonzero(hole)
    rows, columns = rows + corner[1], columns + corner[0]
    left = np.ones(len(rows), bool)
    glass = background_colour(image, ~clean)
    reach_y, reach_x = image.shape[0] - height, image.shape[1] - width
    starts = np.stack([rng.integers(0, reach_y + 1, TRIES), rng.integers(0, reach_x + 1, TRIES)], axis=1)
    shifts = starts - (corner[1], corner[0])
    covers = [int(np.count_nonzero(clean[y : y + height, x : x + width] & hole)) for y, x in starts]
    for y, x in shifts[np.argsort(covers, kind="stable")[::-1][:BEST]]:
        take = left & clean[rows + y, columns + x]
        out[rows[take], columns[take]] = image[rows[take] + y, columns[take] + x]
        left &= ~take
        if not left.any():
            return
    # Last resort, where no background of this shape is left: single pixels of glass, which keep the grain.
    bright = clean & (np.abs(image.astype(float) - glass).max(axis=-1) < 25)
    pool = image[bright] if bright.any() else glass[np.newaxis].astype(np.uint8)
    out[rows[left], columns[left]] = pool[rng.integers(0, len(pool), int(left.sum()))]


def transplant(cells: Image, mask: Mask, onto: Image) -> Image:
    """Return `onto` (a field painted out) with the cells of the field `cells`, where bool `mask`, in the same places.

    The edge is feathered: a sharp one would be a cue of its own.
    """
    alpha = cv2.GaussianBlur(_dilated(mask, 1).astype(np.float32), (0, 0), SEAM_PX / 2)[..., np.newaxis]
    return _blended(cells, onto, alpha)


def _blended(over: Image, under: Image, alpha: NDArray[Any]) -> Image:
    return np.asarray(np.rint(over * alpha + under * (1.0 - alpha)), np.uint8)


def swap_bar(image: Image, other: Image) -> Image:
    """Return `image` with the scale bar's corner of the field `other`."""
    out = image.copy()
    box = scale_bar_box(to_model_scale(image))
    if box is not None:
        x, y, _, _ = box
        corner = np.s_[y - BAR_MARGIN_PX :, x - BAR_MARGIN_PX :]
        out[corner] = other[corner]
    return out


def _dilated(mask: Mask, by_px: int) -> Mask:
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((2 * by_px + 1,) * 2, np.uint8)) > 0)
