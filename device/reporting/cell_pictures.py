"""The picture of one cell: a square of its photograph, with its outline."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from device.store import CellRecord, FieldRecord, Store
from smear.errors import ImageError, StoreError
from smear.images import read_image
from smear.inference.overlay import UNCLASSIFIED, Colour, draw_outlines, scaled_contour
from smear.output_files import printable

EDGE_PX = 480  # of the picture in a file of its own
CELL_UM = 25.0  # what the picture of a cell shows of the slide: a large blast, 20 µm across, with its neighbours
_UNSCALED = 1.6  # of the cells' median size, where the scale of the photograph is unknown

Image = NDArray[np.uint8]


class PhotographGoneError(StoreError):
    """A record has no photograph any more."""


def picture_of_cell(store: Store, cell: CellRecord) -> Image:
    """Return RGB uint8 (EDGE_PX, EDGE_PX, 3) of a cell from the photograph of its field.

    Raises:
        PhotographGoneError: the photograph was removed.
        ImageError: it cannot be read.
    """
    field = store.field(cell.field_id)
    path = store.image_path(field)
    if path is None:
        raise PhotographGoneError(
            f"cell {cell.name}: the photograph of its field was removed, to make room or by its age"
        )
    if not path.is_file():
        raise PhotographGoneError(f"cell {cell.name}: the photograph of its field, {printable(path)}, is missing")
    return cropped(read_image(path), cell, cell_side_px(field.pixel_size_um, [cell]), EDGE_PX, UNCLASSIFIED)


def photograph_of(store: Store, field_id: int) -> tuple[FieldRecord, Image] | None:
    """Return the record of a field and its photograph, RGB; None where that is gone or cannot be read."""
    try:
        field = store.field(field_id)
        path = store.image_path(field)
        return None if path is None else (field, read_image(path))
    except (ImageError, StoreError):
        return None


def cell_side_px(pixel_size_um: float | None, cells: Sequence[CellRecord]) -> int:
    """Return how many pixels of the photograph the picture of a cell shows: one scale for all where it is known."""
    if pixel_size_um:
        return round(CELL_UM / pixel_size_um)
    return round(_UNSCALED * float(np.median([max(cell.bbox[2:]) for cell in cells])))


def cropped(image: Image, cell: CellRecord, side_px: int, edge_px: int, colour: Colour) -> Image:
    """Return a square of `side_px` of RGB `image` around a cell as one of `edge_px`, with its outline.

    At the rim of the photograph the square is moved inside it.
    """
    x, y, width, height = cell.bbox
    side = min(max(side_px, width, height), *image.shape[:2])
    left = min(max(0, x + (width - side) // 2), image.shape[1] - side)
    top = min(max(0, y + (height - side) // 2), image.shape[0] - side)
    drawn = resized(image[top : top + side, left : left + side], (edge_px, edge_px))
    # Of a line of one pixel JPEG leaves no colour.
    draw_outlines(drawn, [(scaled_outline(cell, edge_px / side, (left, top)), colour)], least=2)
    return drawn


def resized(image: Image, size: tuple[int, int]) -> Image:
    """Return a copy of `image` in `size`, width and height."""
    method = cv2.INTER_AREA if size[0] < image.shape[1] else cv2.INTER_CUBIC
    return np.array(cv2.resize(image, size, interpolation=method), np.uint8)


def scaled_outline(cell: CellRecord, scale: float, origin: tuple[int, int] = (0, 0)) -> NDArray[np.int32]:
    """Return the outline of a cell, int32 (n, 2) of x and y, from `origin` on in a picture that is scaled.

    Of a cell recorded before outlines were kept, it is the box.
    """
    x, y, width, height = cell.bbox
    box = np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], np.int32)
    contour = box if cell.contour is None else cell.contour
    return scaled_contour(contour, scale, origin)
