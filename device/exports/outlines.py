"""Outlines of cells along the edges of pixels, which is what QuPath, ImageJ and COCO mean by a polygon."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from device.store.records import CellRecord, FieldRecord
from smear.imaging.stain_normalization import fill_holes

CONTOUR, BOX = "contour", "box"
"""Where an outline comes from: an older record has no contour, and is drawn as its bounding box."""


@dataclass(frozen=True, slots=True, eq=False)
class CellPixels:
    """The pixels of one cell in its field."""

    left: int
    top: int
    inside: NDArray[np.uint8]  # (h, w) from `left` and `top` on: 1 for the cell
    source: str  # `CONTOUR` or `BOX`

    @property
    def box(self) -> tuple[int, int, int, int]:
        """The bounding box: x, y, width, height."""
        height, width = self.inside.shape
        return self.left, self.top, width, height

    @property
    def area(self) -> int:
        """In pixels."""
        return int(np.count_nonzero(self.inside))

    def polygon(self) -> NDArray[np.int32]:
        """Return the outline as a simple polygon, int32 (n, 2) of x and y, whose first point is not repeated.

        (0, 0) is the corner of the field, not the centre of its first pixel. The polygon turns right on the picture.
        """
        return _edges(self.inside) + np.array([self.left, self.top], np.int32)


def cell_pixels(cell: CellRecord, field: FieldRecord) -> CellPixels:
    """Return the pixels of `cell` in `field`, without holes, all of them connected by their sides."""
    contour = cell.contour
    if contour is not None:
        (left, top), (right, bottom) = contour.min(axis=0).tolist(), contour.max(axis=0).tolist()
        if left >= 0 and top >= 0 and right < field.width and bottom < field.height:  # else the disk has damaged it
            return contour_pixels(contour)
    x, y, width, height = (int(value) for value in cell.bbox)
    left, top = min(max(x, 0), field.width - 1), min(max(y, 0), field.height - 1)
    right, bottom = min(max(x + width, left + 1), field.width), min(max(y + height, top + 1), field.height)
    return CellPixels(left, top, np.ones((bottom - top, right - left), np.uint8), BOX)


def contour_pixels(contour: NDArray[np.int32]) -> CellPixels:
    """Return the pixels inside and on `contour`, int32 (n, 2) of x and y, as `cell_pixels` does."""
    (left, top), (right, bottom) = contour.min(axis=0).tolist(), contour.max(axis=0).tolist()
    inside = np.zeros((bottom - top + 1, right - left + 1), np.uint8)
    cv2.fillPoly(inside, [contour], (1,), offset=(-left, -top))
    return CellPixels(left, top, _joined(inside), CONTOUR)


def _joined(inside: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Fill holes, and the gaps of pixels that touch by a corner alone, where a polygon would meet itself."""
    joined = inside.astype(bool)
    while True:
        a, b, c, d = joined[:-1, :-1], joined[:-1, 1:], joined[1:, :-1], joined[1:, 1:]
        rows, columns = np.nonzero((a == d) & (b == c) & (a != b))
        if not len(rows):
            return fill_holes(joined).view(np.uint8)
        for row, column in ((rows, columns), (rows + 1, columns), (rows, columns + 1), (rows + 1, columns + 1)):
            joined[row, column] = True


def _edges(inside: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Return the corners of the outer edge of (h, w) `inside`, walking along it with the pixels on the right."""
    height, width = inside.shape
    pixels = inside.tolist()

    def is_inside(x: int, y: int) -> bool:
        return 0 <= x < width and 0 <= y < height and bool(pixels[y][x])

    start = x, y = int(np.argmax(inside[0])), 0
    dx, dy = 1, 0
    corners = [start]
    while True:
        x, y = x + dx, y + dy
        # The pixels ahead, left and right of the edge; (x, y) is the corner between four pixels.
        left = is_inside(x + (dx + dy - 1) // 2, y + (dy - dx - 1) // 2)
        right = is_inside(x + (dx - dy - 1) // 2, y + (dx + dy - 1) // 2)
        if (x, y) == start:
            return np.array(corners, np.int32)
        if left or not right:
            corners.append((x, y))
            dx, dy = (dy, -dx) if left else (-dy, dx)
