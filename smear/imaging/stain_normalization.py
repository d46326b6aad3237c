"""The colour of a smear: its glass background, stain normalisation, and masks found by thresholds."""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

MIN_AREA_PX = 40  # at model scale, 10 um2: smaller violet objects are platelets
GLASS_PERCENTILE = 90  # of luminance: glass is the brightest part of the background, dust and clipping aside
GLASS_SAMPLES = 224  # along the shorter side: the median of the brightest tenth varies by less than a grey level
_LUMINANCE_1000 = np.array([299, 587, 114], np.float32)  # of red, green and blue (ITU-R BT.601): exact in whole numbers
MIN_DENSITY = 0.02  # mean optical density below which a channel counts as unstained and is not amplified further
MAX_GAIN = 3.0
HSV_VIOLET = ((115, 60, 40), (175, 255, 255))  # low and high hue, saturation, value (OpenCV's 0..179, 0..255)


def optical_density(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the optical density (Beer-Lambert, natural logarithm) of float values in 0..255; that of 255 is 0."""
    return np.asarray(-np.log((values + 1.0) / 256.0))


_DENSITY = optical_density(np.arange(256.0))  # of each byte


def background_colour(
    image: NDArray[np.uint8], exclude: NDArray[np.bool_] | None = None, samples: int = GLASS_SAMPLES
) -> NDArray[np.float64]:
    """Return the colour of empty glass, float (3,) RGB in 0..255: the median of the brightest tenth of the background.

    `image` is RGB uint8 (H, W, 3), `exclude` bool (H, W) of pixels that are cells. The image is subsampled to about
    `samples` pixels along its shorter side.
    """
    step = max(1, min(image.shape[:2]) // samples)
    sample = subsampled(image, step)
    background = np.ones(sample.shape[:2], np.uint8)
    if exclude is not None:
        background -= exclude[::step, ::step]
        if not cv2.hasNonZero(background):
            background[:] = 1
    grey = np.asarray(cv2.cvtColor(sample, cv2.COLOR_RGB2GRAY), np.uint8)
    cumulative = np.cumsum(histogram(grey, background), dtype=np.int64)
    first = math.ceil((cumulative[-1] - 1) * GLASS_PERCENTILE / 100)  # rank of the darkest pixel of that tenth
    # Rounded grey is within 1 of the luminance, so the brightest tenth is among these.
    threshold = int(np.searchsorted(cumulative, first, side="right")) - 1
    candidates = np.flatnonzero((grey >= threshold) & background.view(bool))
    bright = np.take(sample.reshape(-1, 3), candidates, axis=0)
    luminance = bright.astype(np.float32) @ _LUMINANCE_1000
    rank = len(bright) - (int(cumulative[-1]) - first)
    chosen = np.compress(luminance >= np.partition(luminance, rank)[rank], bright, axis=0)
    return np.array([histogram_median(histogram(channel)) for channel in cv2.split(chosen[np.newaxis])])


def colour_distance(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Return the CIE76 distance of two colours, float (3,) RGB in 0..255."""
    both = np.stack([first, second]).astype(np.float32)[None] / 255.0
    lab = cv2.cvtColor(both, cv2.COLOR_RGB2LAB)[0]
    return float(np.linalg.norm(lab[0] - lab[1]))


def subsampled(image: NDArray[Any], step: int) -> NDArray[Any]:
    """Return every `step`-th pixel each way of uint8 (H, W, 3) or bool (H, W), contiguous."""
    even = not (image.shape[0] % step or image.shape[1] % step)
    if step > 1 and even and image.ndim == 3:  # the same in a quarter of the time
        return np.asarray(cv2.resize(image, None, fx=1 / step, fy=1 / step, interpolation=cv2.INTER_NEAREST))
    return np.ascontiguousarray(image[::step, ::step])


def histogram(values: NDArray[Any], where: NDArray[np.uint8] | None = None) -> NDArray[np.float32]:
    """Return float32 (256,): the count of each byte in uint8 `values`, where `where` is not 0."""
    return np.asarray(cv2.calcHist([values], [0], where, [256], [0, 256]), np.float32).ravel()


def histogram_median(counts: NDArray[Any]) -> float:
    """Return the median of bytes from their `histogram`, which needs no sorting."""
    cumulative = np.cumsum(counts)
    middle = (cumulative[-1] - 1) // 2, cumulative[-1] // 2
    low, high = np.searchsorted(cumulative, middle, side="right")
    return (int(low) + int(high)) / 2


def normalization_table(
    image: NDArray[np.uint8], cell: NDArray[np.bool_] | None, glass: NDArray[np.floating], wanted: tuple[float, float]
) -> NDArray[np.uint8]:
    """Return the look-up table, uint8 (256, 1, 3) for `cv2.LUT`, that gives a field's cells the `wanted` stain.

    `image` is RGB uint8 (h, w, 3), bool (h, w) `cell` where its cells are, None for everywhere; `glass` is (3,) RGB in
    0..255, see `background_colour`. The optical density of the glass itself, which is the lamp and the white balance,
    is subtracted. The rest is scaled so that its mean over the cells is `wanted` in red and in green; blue, which the
    stain hardly absorbs, is scaled by the geometric mean of both. How deeply a smear is stained depends on the
    laboratory and the day, not on the patient. White stays white.
    """
    clear = np.interp(glass, np.arange(256), _DENSITY)
    density = np.maximum(_DENSITY - clear[:, np.newaxis], 0.0)
    inside = None if cell is None else cell.view(np.uint8)
    counts = np.stack([histogram(channel, inside) for channel in cv2.split(image)])
    gains = normalization_gains((counts * density).sum(axis=1) / max(counts[0].sum(), 1.0), wanted)
    table = 256.0 * np.exp(-density.T * gains) - 1.0
    return np.asarray(np.rint(np.clip(table, 0, 255)).astype(np.uint8)[:, np.newaxis])


def normalization_gains(mean: NDArray[np.floating], wanted: tuple[float, float]) -> NDArray[np.float64]:
    """Return factors (3,) for the densities of red, green and blue, given their `mean`; see `normalization_table`."""
    red, green = np.array(wanted) / np.maximum(mean[:2], MIN_DENSITY)
    return np.asarray(np.clip([red, green, math.sqrt(red * green)], 1 / MAX_GAIN, MAX_GAIN))


def otsu_mask(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return bool (H, W): Otsu's threshold on Lab a* (red against green), opened, holes filled, specks removed.

    `image` is RGB uint8 (H, W, 3). The colour baseline for cells, and the rough label of the first training stage.
    """
    red_green = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2LAB)[..., 1], (0, 0), 0.7)
    _, found = cv2.threshold(red_green, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    return fill_holes(np.asarray(cv2.morphologyEx(found, cv2.MORPH_OPEN, kernel), np.uint8), MIN_AREA_PX)


def hsv_mask(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return bool (H, W): the fixed violet range in HSV that masks fields in the paper's protocol."""
    return np.asarray(cv2.inRange(cv2.cvtColor(image, cv2.COLOR_RGB2HSV), *map(np.array, HSV_VIOLET)) > 0)


def fill_holes(mask: NDArray[np.bool_] | NDArray[np.uint8], min_area: float = 0) -> NDArray[np.bool_]:
    """Return bool (H, W): `mask` (non-zero is in) with holes filled and objects below `min_area` pixels removed."""
    drawn = mask.view(np.uint8) if mask.dtype == bool else mask.astype(np.uint8)
    contours, _ = cv2.findContours(drawn, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    kept = [c for c in contours if cv2.contourArea(c) >= min_area] if min_area else contours
    out = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(out, kept, -1, 1, cv2.FILLED)
    return out.view(bool)
