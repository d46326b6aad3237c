"""What colour alone can say of a smear: its glass, its stain, and the masks that a threshold finds."""

import cv2
import numpy as np

MIN_BODY_PX = 40  # at model scale, 10 um2: smaller violet bodies are platelets
GLASS_PERCENTILE = 90  # of luminance: glass is the brightest ground, dust and clipping aside
HSV_VIOLET = ((115, 60, 40), (175, 255, 255))  # low and high hue, saturation, value (OpenCV's 0..179, 0..255)


def glass_colour(image: np.ndarray, exclude: np.ndarray | None = None) -> np.ndarray:
    """Return the colour of empty glass, float (3,) RGB in 0..255: the median of the brightest tenth of the ground.

    `image` is RGB uint8 (H, W, 3), `exclude` bool (H, W) of pixels that are cells.
    """
    step = max(1, min(image.shape[:2]) // 224)
    thin = image[::step, ::step].reshape(-1, 3)
    if exclude is not None and not exclude.all():
        thin = thin[~exclude[::step, ::step].ravel()]
    luminance = thin @ np.array([0.299, 0.587, 0.114])
    return np.asarray(np.median(thin[luminance >= np.percentile(luminance, GLASS_PERCENTILE)], axis=0), dtype=float)


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
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    out = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(out, [c for c in contours if cv2.contourArea(c) >= min_area], -1, 1, cv2.FILLED)
    return out.astype(bool)
