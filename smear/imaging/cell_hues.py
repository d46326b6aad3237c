"""The colours of a cell: mean hue of its nucleus and of its cytoplasm."""

import colorsys
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from smear.findings import CYTOPLASM, NUCLEUS, Cell, CellMask


class Hues(NamedTuple):
    """Hues in degrees, 0 for red and 240 for blue; None where there is no such pixel, or no colour."""

    nucleus: float | None
    cytoplasm: float | None


def cell_hues(image: NDArray[np.uint8], mask: CellMask, cells: Sequence[Cell]) -> list[Hues]:
    """Return the hues of each cell in RGB `image` (H, W, 3), by the mean colour of what `mask` calls its parts."""
    found = []
    for cell in cells:
        x, y, width, height = cell.bbox
        window = (slice(y, y + height), slice(x, x + width))
        inside = np.zeros((height, width), np.uint8)
        cv2.fillPoly(inside, [cell.contour], (1,), offset=(-x, -y))
        parts, pixels = np.where(inside > 0, mask.values[window], 0), image[window]
        found.append(Hues(*(_hue(pixels[parts == part]) for part in (NUCLEUS, CYTOPLASM))))
    return found


def _hue(pixels: NDArray[np.uint8]) -> float | None:
    if not len(pixels):
        return None
    hue, saturation, _ = colorsys.rgb_to_hsv(*pixels.mean(axis=0))
    return 360 * hue if saturation else None
