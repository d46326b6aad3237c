"""The live picture for who looks from the next room: small, with outlines, and encoded once for each result."""

import cv2
import numpy as np
from numpy.typing import NDArray

from device.session.results import Examined
from smear.images import encode
from smear.inference.overlay import UNCLASSIFIED, colour_of, draw_outlines, scaled_contour

WIDTH_PX = 960  # of the picture: 60 kB as JPEG, and a phone shows no more
_QUALITY = 80


def live_picture(examined: Examined) -> bytes:
    """Return the field as JPEG, at most `WIDTH_PX` wide, with its cells in the colours of the screen."""
    image, finding = examined.frame.image, examined.finding
    scale = min(1.0, WIDTH_PX / image.shape[1])
    size = round(image.shape[1] * scale), round(image.shape[0] * scale)
    drawn: NDArray[np.uint8] = np.array(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    outlines = [
        (scaled_contour(cell.contour, scale), UNCLASSIFIED if finding.label is None else colour_of(cell))
        for cell in finding.cells
    ]
    draw_outlines(drawn, outlines)
    return encode(drawn, ".jpg", _QUALITY)
