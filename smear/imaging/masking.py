"""What a classifier is shown: cells without their background, crops, and no burned-in scale bar."""

import cv2
import numpy as np

from smear.imaging.resampling import ModelFrame, content_of
from smear.imaging.stain_normalization import background_colour, normalization_table

SCALE_BAR_BOX = (48, 32)  # width and height of the burned-in scale bar of the data set, bottom right
NEUTRAL = 255  # ground that a classifier is shown around cells: white glass, the same for every class
FIELD_SAMPLES = 112  # along the shorter side: every other pixel of a field of the data set tells its glass
CROP_SIZE = 48  # edge of a cell crop in model pixels: 24 um; 99 % of the measured leukocytes are below 17 um


def scale_bar_box(frame: ModelFrame) -> tuple[int, int, int, int] | None:
    """Return x, y, width, height of the corner that may hold a burned-in scale bar, or None where none can be."""
    if not frame.whole_field:
        return None
    width, height = SCALE_BAR_BOX
    right, bottom = frame.offset[0] + frame.content[0], frame.offset[1] + frame.content[1]
    return right - width, bottom - height, width, height


def without_scale_bar(frame: ModelFrame) -> np.ndarray:
    """Return a copy of the pixels with the scale bar's corner painted `NEUTRAL`, where there may be one."""
    pixels = frame.pixels.copy()
    box = scale_bar_box(frame)
    if box is not None:
        x, y, width, height = box
        pixels[y : y + height, x : x + width] = NEUTRAL
    return pixels


def background_of(frame: ModelFrame, cell: np.ndarray) -> np.ndarray:
    """Return the colour of the frame's empty glass, float (3,) RGB in 0..255; `cell` is bool (h, w)."""
    return background_colour(content_of(frame.pixels, frame), content_of(cell, frame), FIELD_SAMPLES)


def without_scale_bar_pixels(frame: ModelFrame, cell: np.ndarray) -> np.ndarray:
    """Return bool (h, w) `cell` without what lies in the scale bar's corner: itself where there can be none."""
    box = scale_bar_box(frame)
    if box is None:
        return cell
    x, y, width, height = box
    seen = cell.copy()
    seen[y : y + height, x : x + width] = False
    return seen


def cells_on_neutral_background(
    frame: ModelFrame, cell: np.ndarray, glass: np.ndarray, stain: tuple[float, float] | None = None
) -> np.ndarray:
    """Return a copy of the pixels with all but bool (h, w) `cell`, and the scale bar's corner, painted `NEUTRAL`.

    With `stain` the cells are stained to this mean density over `glass`, (3,) RGB; see `normalization_table`.
    """
    seen = without_scale_bar_pixels(frame, cell)
    shown = on_neutral_background(frame.pixels, seen)
    if stain is None:
        return shown
    return np.asarray(cv2.LUT(shown, normalization_table(shown, seen, glass, stain)))


def on_neutral_background(pixels: np.ndarray, keep: np.ndarray, ground: int = NEUTRAL) -> np.ndarray:
    """Return a copy of RGB uint8 (h, w, 3) with everything outside bool (h, w) `keep` painted `ground`."""
    return np.asarray(cv2.copyTo(pixels, keep.astype(np.uint8), np.full(pixels.shape, ground, np.uint8)))


def crop_cell(pixels: np.ndarray, cell: np.ndarray, centre: tuple[float, float], size: int = CROP_SIZE) -> np.ndarray:
    """Return the `size` square around a cell's `centre` (x, y): the pixels where bool (h, w) `cell`, else neutral.

    The cell's neighbours stay in it: how close leukocytes lie is a fact about cells, not about the ground.
    """
    return crop_at(on_neutral_background(pixels, cell), centre, size)


def crop_at(shown: np.ndarray, centre: tuple[float, float], size: int = CROP_SIZE) -> np.ndarray:
    """Return the `size` square around `centre` (x, y) of RGB uint8 `shown`, neutral beyond its edge."""
    x, y = round(centre[0]) - size // 2, round(centre[1]) - size // 2
    height, width = shown.shape[:2]
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + size, width), min(y + size, height)
    if (x1 - x0, y1 - y0) == (size, size):
        return shown[y0:y1, x0:x1]
    crop = np.full((size, size, 3), NEUTRAL, np.uint8)
    if x0 < x1 and y0 < y1:
        crop[y0 - y : y1 - y, x0 - x : x1 - x] = shown[y0:y1, x0:x1]
    return crop
