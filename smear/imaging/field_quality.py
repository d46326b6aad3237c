"""What one field measures before any limit: focus, clipping, brightness, tint and drift of the background."""

import math
from dataclasses import dataclass, fields

import cv2
import numpy as np

from smear.findings import Quality
from smear.imaging.masking import FIELD_SAMPLES, as_items
from smear.imaging.resampling import ModelFrame, content_of
from smear.imaging.stain_normalization import (
    colour_distance,
    histogram,
    histogram_median,
    subsampled,
)
from smear.site import CameraProfile, SiteStatus

RIM_PX = 2  # at model scale: how far the edge of a cell is looked at on either side
GREEN = 1  # the channel where haematoxylin and azure absorb most
_RIM = np.ones((2 * RIM_PX + 1,) * 2, np.uint8)
_DETAIL = np.full(3, 1), np.full(3, 254)  # no channel at its end


@dataclass(frozen=True, slots=True)
class Reference:
    """What is known of the instrument and its site; None: not calibrated, or nothing that belongs to a site."""

    background: tuple[float, float, float] | None = None  # RGB of the empty glass, corrected, 0..255
    best_focus: float | None = None  # Tenengrad energy at the rims of cells
    profile: CameraProfile | None = None  # of the calibration that corrected the field
    site: SiteStatus | None = None  # whether the bundle was checked at this site


@dataclass(frozen=True, slots=True)
class Measured:
    """What one field measures, before any limit."""

    quality: Quality
    absolute_focus: float  # Tenengrad energy at the rims of cells, whatever was calibrated
    tint: float  # how far the channels of the background lie apart, 0 to 1

    @property
    def finite(self) -> bool:
        """True: every number in it is one."""
        numbers = [getattr(self.quality, each.name) for each in fields(Quality)]
        return all(number is None or math.isfinite(number) for number in (self.absolute_focus, self.tint, *numbers))


def measure(
    view: ModelFrame, cell_pixels: np.ndarray, background: np.ndarray, reference: Reference | None = None
) -> Measured:
    """Measure one field at model scale.

    `cell_pixels` is bool (h, w), `background` float (3,) RGB in 0..255, see `smear.imaging.masking.background_of`.
    """
    known = reference or Reference()
    pixels, inside = content_of(view.pixels, view), content_of(cell_pixels, view)
    focus, clipped = focus_and_clipping(pixels, inside, max(1, min(view.content) // FIELD_SAMPLES))
    red, green, blue = background.tolist()
    quality = Quality(
        focus=focus / (known.best_focus or 1.0),
        clipped=clipped,
        brightness=brightness_of((red, green, blue)),
        cell_share=cv2.countNonZero(inside.view(np.uint8)) / _seen(view),
        colour_drift=0.0 if known.background is None else colour_distance(background, np.array(known.background)),
    )
    tint = (max(red, green, blue) - min(red, green, blue)) / max(red, green, blue, 1.0)
    return Measured(quality, focus, tint)


def brightness_of(colour: tuple[float, float, float]) -> float:
    """Return the luminance of RGB 0..255 by ITU-R BT.601, 0 to 1."""
    red, green, blue = colour
    return (0.299 * red + 0.587 * green + 0.114 * blue) / 255.0


def _seen(view: ModelFrame) -> int:
    """Return how many pixels of the frame, at model scale, show the slide."""
    if view.outside is None:
        return view.content[0] * view.content[1]
    return max(1, int(np.count_nonzero(~content_of(view.outside, view))))


def focus_and_clipping(pixels: np.ndarray, cell: np.ndarray, step: int) -> tuple[float, float]:
    """Return focus and clipped share of RGB uint8 `pixels`; of the background every `step`-th each way.

    The focus is Tenengrad (mean squared Sobel gradient) at the rims of cells, over the squared contrast of cell and
    background. Independent of stain and light, in 1/px^2; falls with the width of the blur. 0 without either.
    """
    window = _around(cell)
    near_cells, inside = pixels[window], np.ascontiguousarray(cell.view(np.uint8)[window])
    clipped = _clipped(pixels, as_items(near_cells)[inside.view(bool)])
    near, beside = cv2.dilate(inside, _RIM), np.ones(cell.shape, np.uint8)
    beside[window] -= near.view(np.uint8)
    core = cv2.erode(inside, _RIM)
    green = np.asarray(cv2.extractChannel(pixels, GREEN), np.uint8)
    of_cells = np.bincount(green[window][core.view(bool)], minlength=256)
    of_background = histogram(subsampled(green, step), subsampled(beside, step))
    rim = cv2.subtract(near, core).view(bool)
    across, down = (each[rim].astype(np.float32) for each in cv2.spatialGradient(np.ascontiguousarray(green[window])))
    if not (len(across) and of_cells.any() and of_background.any()):
        return 0.0, clipped
    gradient = float(np.dot(across, across) + np.dot(down, down)) / len(across)
    contrast = histogram_median(of_background) - histogram_median(of_cells)
    return gradient / 64.0 / max(contrast * contrast, 25.0), clipped  # 64: Sobel's gain of 8, squared


def _around(cell: np.ndarray) -> tuple[slice, slice]:
    """Return the window with all of bool (h, w) `cell`, their rims and the pixel beyond that a gradient needs."""
    x, y, width, height = cv2.boundingRect(cell.view(np.uint8))
    room = RIM_PX + 1
    return slice(max(0, y - room), y + height + room), slice(max(0, x - room), x + width + room)


def _clipped(pixels: np.ndarray, of_cells: np.ndarray) -> float:
    """Share of the cells' pixels, `as_items` (n,), at 0 or 255 in any channel; without a cell, of all in all three.

    Clean glass may be white, so only what should hold detail counts.
    """
    if not len(of_cells):
        return float(((pixels == 0) | (pixels == 255)).all(axis=-1).mean())
    shown = of_cells.view(np.uint8).reshape(1, -1, 3)
    return 1 - cv2.countNonZero(cv2.inRange(shown, *_DETAIL)) / len(of_cells)
