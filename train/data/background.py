"""The background of a field: glass and red cells, clear of leukocytes and of the scale bar."""

import cv2
import numpy as np
from numpy.typing import NDArray

from smear.imaging.masking import scale_bar_box
from smear.imaging.resampling import ModelFrame
from smear.imaging.stain_normalization import otsu_mask

HALO_PX = 7  # kernel that grows each cell: its blur and chromatic fringe still tint what lies there
VIOLET = ((120, 50, 0), (179, 255, 255))  # HSV range, wider than any mask: what is at all violet is no background
BAR_MARGIN_PX = 4  # some styles of scale bar reach past the box


def background_mask(frame: ModelFrame) -> NDArray[np.bool_]:
    """Return bool (h, w) at model scale: glass and red cells only, clear of everything violet and of the scale bar."""
    violet = cv2.inRange(cv2.cvtColor(frame.pixels, cv2.COLOR_RGB2HSV), *map(np.array, VIOLET)) > 0
    stained = (otsu_mask(frame.pixels) | violet).astype(np.uint8)
    near = cv2.dilate(stained, np.ones((HALO_PX, HALO_PX), np.uint8)) > 0
    return np.asarray(outside_scale_bar(frame) & ~near)


def outside_scale_bar(frame: ModelFrame) -> NDArray[np.bool_]:
    """Return bool (h, w): all but the corner of the scale bar, whose style gives the class away."""
    seen = np.ones(frame.pixels.shape[:2], bool)
    box = scale_bar_box(frame)
    if box is not None:
        x, y, width, height = box
        seen[y - BAR_MARGIN_PX : y + height, x - BAR_MARGIN_PX : x + width] = False
    return seen
