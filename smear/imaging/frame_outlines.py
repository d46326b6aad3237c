"""Outlines of cells in the frame's own pixels, which are finer than those that cells are measured in."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from smear.findings import Cell, CellMask


def frame_outlines(mask: CellMask, cells: Sequence[Cell]) -> list[NDArray[np.int32]]:
    """Return the outline of each cell in `mask`, int32 (n, 2) of x and y.

    `Cell.contour` runs through the centres of pixels at model scale, and so up to one such pixel inside the mask: of a
    frame at four times the models' scale it misses a tenth of a cell. Here each pixel of `mask` belongs to the cell
    whose contour is nearest. A cell that `mask` does not show keeps its contour.
    """
    labels = np.zeros(mask.values.shape, np.int32)
    for number, cell in enumerate(cells, 1):
        cv2.fillPoly(labels, [cell.contour], (number,))
    inside = mask.cell  # once: it is a new array of the whole frame
    return [_outline(labels, inside, number, cell) for number, cell in enumerate(cells, 1)]


def _outline(labels: NDArray[np.int32], mask: NDArray[np.bool_], number: int, cell: Cell) -> NDArray[np.int32]:
    x, y, width, height = cell.bbox
    rim = 2 + max(width, height) // 6  # at least one pixel at model scale, of which the smallest cell is 8 across
    left, top = max(0, x - rim), max(0, y - rim)
    window = (slice(top, y + height + rim), slice(left, x + width + rim))
    seen, inside = labels[window], mask[window]
    lower, higher = (seen > 0) & (seen < number), seen > number
    if lower.any() or higher.any():
        own = _distance(seen == number)
        inside = inside & (own < _distance(lower)) & (own <= _distance(higher))  # each pixel goes to one cell
    contours, _ = cv2.findContours(inside.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=(left, top))
    if not contours:
        return cell.contour
    return np.asarray(max(contours, key=cv2.contourArea), np.int32)[:, 0]


def _distance(region: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return how far each pixel is from `region`."""
    return np.asarray(cv2.distanceTransform((~region).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5), np.float32)
