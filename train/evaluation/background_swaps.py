"""Fields rearranged to ask what a model looks at: cells painted out, set on another ground, scale bars swapped."""

import cv2
import numpy as np

from smear.imaging.masking import scale_bar_box
from smear.imaging.resampling import to_model_scale
from smear.imaging.stain_normalization import background_colour
from train.evaluation.colour_forest import BAR_MARGIN, ground, photographed

TRIES = 200  # shifts tried for each hole; the share left to the last resort no longer falls beyond
HALO_PX = 3  # around a cell's mask: the fringe that its blur still tints goes with it
BEST = 8  # of them, taken one after the other for what the better ones leave open
SEAM_PX = 1.2  # sigma of the feathered edge: at the rim of the cell, HALO_PX inside it, the fill is alone


def paint_out(image: np.ndarray, cell: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a field, RGB uint8 (224, 224, 3), with every violet body and bool `cell` replaced by its own ground.

    Each hole is filled with pixels of the same field, taken at one shift, so that glass, grain and red cells stay what
    they were. More is painted out than `cell`: whatever a wide threshold calls violet, so that no cell that the
    segmenter missed is left to tell the class. The scale bar's corner stays as it is, and fills no hole.
    """
    view = to_model_scale(image)
    own = ground(view)
    hole = _grown(cell, HALO_PX) | (photographed(view) & ~own)
    out, clean = image.copy(), own & ~hole
    count, parts, boxes, _ = cv2.connectedComponentsWithStats(hole.astype(np.uint8), connectivity=8)
    for part in range(1, count):
        x, y, width, height = boxes[part, :4]
        window = np.s_[y : y + height, x : x + width]
        _fill(out, image, clean, parts[window] == part, (int(x), int(y)), rng)
    soft = cv2.GaussianBlur(hole.astype(np.float32), (0, 0), SEAM_PX)[..., np.newaxis]
    return np.rint(out * soft + image * (1.0 - soft)).astype(np.uint8)


def _fill(
    out: np.ndarray,
    image: np.ndarray,
    clean: np.ndarray,
    hole: np.ndarray,
    corner: tuple[int, int],
    rng: np.random.Generator,
) -> None:
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
    # Last resort, in fields where no ground of this shape is left: single pixels of glass, with their own grain.
    bright = clean & (np.abs(image.astype(float) - glass).max(axis=-1) < 25)
    pool = image[bright] if bright.any() else glass[np.newaxis].astype(np.uint8)
    out[rows[left], columns[left]] = pool[rng.integers(0, len(pool), int(left.sum()))]


def transplant(cells: np.ndarray, mask: np.ndarray, onto: np.ndarray) -> np.ndarray:
    """Return `onto` (a field painted out) with the cells of the field `cells`, where bool `mask`, in their own places.

    The edge is feathered: a hard one would be a mark of its own.
    """
    alpha = cv2.GaussianBlur(_grown(mask, 1).astype(np.float32), (0, 0), SEAM_PX / 2)[..., np.newaxis]
    return np.rint(cells * alpha + onto * (1.0 - alpha)).astype(np.uint8)


def swap_bar(image: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return `image` with the scale bar's corner of the field `other`."""
    out = image.copy()
    box = scale_bar_box(to_model_scale(image))
    if box is not None:
        x, y, _, _ = box
        out[y - BAR_MARGIN :, x - BAR_MARGIN :] = other[y - BAR_MARGIN :, x - BAR_MARGIN :]
    return out


def _grown(mask: np.ndarray, by_px: int) -> np.ndarray:
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((2 * by_px + 1,) * 2, np.uint8)) > 0)
