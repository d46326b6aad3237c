"""What colour alone can say of a smear: its glass, its stain, and the masks that a threshold finds."""

import math

import cv2
import numpy as np

MIN_BODY_PX = 40  # at model scale, 10 um2: smaller violet bodies are platelets
GLASS_PERCENTILE = 90  # of luminance: glass is the brightest ground, dust and clipping aside
GLASS_SAMPLES = 224  # along the shorter side: the median of a tenth of them varies by less than a grey level
_LUMINANCE_1000 = np.array([299, 587, 114], np.float32)  # of red, green and blue (ITU-R BT.601): exact in whole numbers
LEAST_DENSITY = 0.02  # below this a channel is as good as unstained, and is not made up
MOST_GAIN = 3.0
HSV_VIOLET = ((115, 60, 40), (175, 255, 255))  # low and high hue, saturation, value (OpenCV's 0..179, 0..255)


def optical_density(values: np.ndarray) -> np.ndarray:
    """Return the optical density (Beer and Lambert, natural logarithm) of float values in 0..255: white has none."""
    return np.asarray(-np.log((values + 1.0) / 256.0))


_DENSITY = optical_density(np.arange(256.0))  # of each byte


def background_colour(image: np.ndarray, exclude: np.ndarray | None = None, samples: int = GLASS_SAMPLES) -> np.ndarray:
    """Return the colour of empty glass, float (3,) RGB in 0..255: the median of the brightest tenth of the ground.

    `image` is RGB uint8 (H, W, 3), `exclude` bool (H, W) of pixels that are cells. About `samples` pixels of the
    shorter side are looked at.
    """
    step = max(1, min(image.shape[:2]) // samples)
    thin = subsampled(image, step)
    ground = np.ones(thin.shape[:2], np.uint8)
    if exclude is not None:
        ground -= exclude[::step, ::step]
        if not cv2.hasNonZero(ground):
            ground[:] = 1
    grey = cv2.cvtColor(thin, cv2.COLOR_RGB2GRAY)
    reached = np.cumsum(histogram(grey, ground), dtype=np.int64)
    place = math.ceil((reached[-1] - 1) * GLASS_PERCENTILE / 100)
    # Rounded grey is within 1 of the luminance, so the brightest tenth is among these.
    nearly = int(np.searchsorted(reached, place, side="right")) - 1
    at = nonzero_indices(((grey >= nearly) & ground).view(np.uint8))
    bright = np.take(thin.reshape(-1, 3), at, axis=0)
    luminance = bright.astype(np.float32) @ _LUMINANCE_1000
    rank = len(bright) - (int(reached[-1]) - place)
    chosen = np.compress(luminance >= np.partition(luminance, rank)[rank], bright, axis=0)
    return np.array([histogram_median(histogram(channel)) for channel in cv2.split(chosen[np.newaxis])])


def colour_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Return the CIE76 distance of two colours, float (3,) RGB in 0..255."""
    both = np.stack([first, second]).astype(np.float32)[None] / 255.0
    lab = cv2.cvtColor(both, cv2.COLOR_RGB2LAB)[0]
    return float(np.linalg.norm(lab[0] - lab[1]))


def subsampled(image: np.ndarray, step: int) -> np.ndarray:
    """Return every `step`-th pixel each way of uint8 (H, W, 3) or bool (H, W), contiguous."""
    even = not (image.shape[0] % step or image.shape[1] % step)
    if step > 1 and even and image.ndim == 3:  # the same at a quarter of the time
        return np.asarray(cv2.resize(image, None, fx=1 / step, fy=1 / step, interpolation=cv2.INTER_NEAREST))
    return np.ascontiguousarray(image[::step, ::step])


def histogram(values: np.ndarray, where: np.ndarray | None = None) -> np.ndarray:
    """Return how many of uint8 `values` there are of each (256,), where uint8 `where` is not 0."""
    return np.asarray(cv2.calcHist([values], [0], where, [256], [0, 256])).ravel()


def histogram_median(counts: np.ndarray) -> float:
    """Return the median of bytes of which there are `counts` (256,) of each value: counted, they need no sorting."""
    reached = np.cumsum(counts)
    middle = (reached[-1] - 1) // 2, reached[-1] // 2
    low, high = np.searchsorted(reached, middle, side="right")
    return (int(low) + int(high)) / 2


def nonzero_indices(body: np.ndarray) -> np.ndarray:
    """Return the places of a flattened uint8 (h, w) that are not 0: five times as fast as NumPy."""
    if not cv2.hasNonZero(body):
        return np.zeros(0, np.intp)
    x, y = cv2.findNonZero(body).reshape(-1, 2).T
    return np.asarray(y * np.intp(body.shape[1]) + x)


def normalization_table(
    image: np.ndarray, cell: np.ndarray, glass: np.ndarray, wanted: tuple[float, float]
) -> np.ndarray:
    """Return what each byte becomes so that cells are stained as deeply as in every other field, for `cv2.LUT`.

    `image` is RGB uint8 (h, w, 3), bool (h, w) `cell` where its cells are; `glass` is (3,) RGB in 0..255, see
    `background_colour`. The optical density of the glass itself, which is the lamp and the white balance, is taken
    away. The rest is scaled so that its mean over the cells is `wanted` in red and in green; blue, which the stain
    hardly takes, follows both. How long a smear was stained is a fact of the laboratory's day. White stays white.
    """
    clear = np.interp(glass, np.arange(256), _DENSITY)
    density = np.maximum(_DENSITY - clear[:, np.newaxis], 0.0)
    inside = cell.view(np.uint8)
    counts = np.stack([histogram(channel, inside) for channel in cv2.split(image)])
    gains = normalization_gains((counts * density).sum(axis=1) / max(counts[0].sum(), 1.0), wanted)
    table = 256.0 * np.exp(-density.T * gains) - 1.0
    return np.asarray(np.rint(np.clip(table, 0, 255)).astype(np.uint8)[:, np.newaxis])


def normalization_gains(mean: np.ndarray, wanted: tuple[float, float]) -> np.ndarray:
    """Return what the densities (3,) of red, green and blue are to be multiplied by, see `normalization_table`."""
    red, green = np.array(wanted) / np.maximum(mean[:2], LEAST_DENSITY)
    return np.asarray(np.clip([red, green, math.sqrt(red * green)], 1 / MOST_GAIN, MOST_GAIN))


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
