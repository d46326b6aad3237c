"""What colour alone can say of a smear: its glass, its stain, and the masks that a threshold finds."""

import math

import cv2
import numpy as np

MIN_BODY_PX = 40  # at model scale, 10 um2: smaller violet bodies are platelets
GLASS_PERCENTILE = 90  # of luminance: glass is the brightest ground, dust and clipping aside
_LUMINANCE_1000 = np.array([[299, 587, 114]], np.float32)  # of red, green and blue (ITU-R BT.601)
HSV_VIOLET = ((115, 60, 40), (175, 255, 255))  # low and high hue, saturation, value (OpenCV's 0..179, 0..255)


def glass_colour(image: np.ndarray, exclude: np.ndarray | None = None) -> np.ndarray:
    """Return the colour of empty glass, float (3,) RGB in 0..255: the median of the brightest tenth of the ground.

    `image` is RGB uint8 (H, W, 3), `exclude` bool (H, W) of pixels that are cells.
    """
    step = max(1, min(image.shape[:2]) // 224)
    thin = np.ascontiguousarray(image[::step, ::step])
    ground = np.ones(thin.shape[:2], np.uint8)
    if exclude is not None and not exclude.all():
        ground -= exclude[::step, ::step]
    # In thousandths, whole numbers below 2^24: exact in float32.
    luminance = cv2.transform(thin.astype(np.float32), _LUMINANCE_1000)
    bright = ((luminance >= _percentile(luminance, ground)) & ground).view(np.uint8)
    return np.array([median_byte(channel, bright) for channel in cv2.split(thin)])


def _percentile(luminance: np.ndarray, ground: np.ndarray) -> float:
    """Return the least luminance of the brightest tenth of `ground`, found in the one of 256 bins that holds it."""
    coarse = cv2.convertScaleAbs(luminance, alpha=1e-3)
    reached = _reached(coarse, ground)
    place = math.ceil((reached[-1] - 1) * GLASS_PERCENTILE / 100)
    level = int(np.searchsorted(reached, place, side="right"))
    alike = np.sort(luminance[((coarse == level) & ground).view(bool)])
    return float(alike[place - reached[level]])  # counted from the end of the bin


def median_byte(values: np.ndarray, where: np.ndarray) -> float:
    """Return the median of uint8 `values` where uint8 `where` is not 0, by counting: 256 values need no sorting."""
    reached = _reached(values, where)
    middle = (reached[-1] - 1) // 2, reached[-1] // 2
    return float(np.searchsorted(reached, middle, side="right").mean())


def _reached(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Return how many of uint8 `values`, where uint8 `where` is not 0, are at most 0, 1, ... 255."""
    return np.asarray(np.cumsum(cv2.calcHist([values], [0], where, [256], [0, 256]).ravel().astype(np.int64)))


def otsu_mask(image: np.ndarray) -> np.ndarray:
    """Return bool (H, W): Otsu's threshold on Lab a* (red against green), opened, holes filled, specks removed.

    The colour baseline for cells, and the rough label of the first training stage.
    """
    red_green = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2LAB)[..., 1], (0, 0), 0.7)
    _, found = cv2.threshold(red_green, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    return fill_holes(cv2.morphologyEx(found, cv2.MORPH_OPEN, kernel), MIN_BODY_PX)


def hsv_mask(image: np.ndarray) -> np.ndarray:
    """Return bool (H, W): the fixed violet range in HSV that the paper's protocol takes for a mask."""
    return np.asarray(cv2.inRange(cv2.cvtColor(image, cv2.COLOR_RGB2HSV), *map(np.array, HSV_VIOLET)) > 0)


def fill_holes(mask: np.ndarray, min_area: float = 0) -> np.ndarray:
    """Return bool (H, W): `mask` (non-zero is in) with holes filled and bodies below `min_area` pixels removed."""
    drawn = mask.view(np.uint8) if mask.dtype == bool else mask.astype(np.uint8)
    contours, _ = cv2.findContours(drawn, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    kept = [c for c in contours if cv2.contourArea(c) >= min_area] if min_area else contours
    out = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(out, kept, -1, 1, cv2.FILLED)
    return out.view(bool)
