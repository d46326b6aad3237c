"""The distance of the lines of a stage micrometre in a picture, whatever their direction."""

import cv2
import numpy as np

from smear.errors import ImageError

MAX_SIDE_PX = 1280  # of what is examined at once: its padded spectrum takes 60 MB, that of 12 megapixels 1.5 GB
MIN_SPACING_PX = 8.0  # in a reduced picture: finer lines are measured in a part of it that is reduced less


def line_spacing_px(image: np.ndarray) -> float:
    """Return the distance in pixels of the parallel lines in RGB uint8 (H, W, 3), whatever their direction.

    A large picture is examined reduced. Where that leaves no lines, or lines too close for an exact figure, its
    middle is examined, reduced by half as much, and so on down to its own pixels.

    Raises:
        ImageError: no line follows another at regular distances.
    """
    reduction = 1
    while max(image.shape[:2]) > MAX_SIDE_PX * reduction:
        reduction *= 2
    while True:
        middle = _middle(image, MAX_SIDE_PX * reduction)
        size = (max(1, middle.shape[1] // reduction), max(1, middle.shape[0] // reduction))
        reduced = middle if reduction == 1 else cv2.resize(middle, size, interpolation=cv2.INTER_AREA)
        try:
            spacing = _spacing_px(reduced)
        except ImageError:
            if reduction == 1:
                raise
        else:
            if reduction == 1 or spacing >= MIN_SPACING_PX:
                return float(spacing * middle.shape[1] / size[0])
        reduction //= 2


def _middle(image: np.ndarray, side: int) -> np.ndarray:
    height, width = image.shape[:2]
    top, left = max(0, (height - side) // 2), max(0, (width - side) // 2)
    return image[top : top + side, left : left + side]


def _spacing_px(image: np.ndarray) -> float:
    """Return the spacing in an image of at most `MAX_SIDE_PX` a side.

    The strongest wave of the spectrum gives the direction. Along it, the autocorrelation has a peak at every
    multiple of the spacing; the farthest clear one is taken, which divides the error by its number.
    """
    grey = image.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    grey -= cv2.GaussianBlur(grey, (0, 0), max(grey.shape) / 8)  # the lamp
    height, width = grey.shape
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    rows, columns = 2 * height, 2 * width  # padded, so that the correlation does not wrap
    power = np.abs(np.fft.rfft2(grey * window, s=(rows, columns))) ** 2
    fy, fx = np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None, :]
    radius = np.hypot(fy, fx)
    strong = np.where((radius > 3 / max(height, width)) & (radius < 0.4), power, 0.0)
    y, x = np.unravel_index(int(strong.argmax()), strong.shape)
    across = np.array([fx[0, x], fy[y, 0]]) / radius[y, x]
    correlation = np.fft.fftshift(np.fft.irfft2(power, s=(rows, columns)))
    profile = _along(correlation, across, min(height, width) / 2)
    return _period(profile)


def _along(correlation: np.ndarray, direction: np.ndarray, reach: float) -> np.ndarray:
    """Return the correlation at every quarter of a pixel along `direction` from the centre, 1 at the centre."""
    steps = np.arange(0, reach, 0.25, dtype=np.float32)
    centre_y, centre_x = correlation.shape[0] // 2, correlation.shape[1] // 2
    xs, ys = (centre_x + steps * direction[0]), (centre_y + steps * direction[1])
    sampled = cv2.remap(
        correlation.astype(np.float32), xs.astype(np.float32)[None], ys.astype(np.float32)[None], cv2.INTER_CUBIC
    )[0]
    return np.asarray(sampled / sampled[0])


def _period(profile: np.ndarray) -> float:
    inner = profile[1:-1]
    peaks = np.flatnonzero((inner >= profile[:-2]) & (inner > profile[2:])) + 1
    # The overlap, and the windows with it, shrinks along the profile, and so do the peaks: judged by their neighbours.
    clear = [
        int(peak) for peak in peaks if profile[peak] > 0.15 and profile[peak] > 3 * abs(profile[:peak].min() * 0.1)
    ]
    if not clear:
        raise ImageError(
            "no regular lines were found; focus on the ruling of the stage micrometre, with five or more lines in view"
        )
    strongest = max(profile[peak] for peak in clear)
    first = next(peak for peak in clear if profile[peak] > 0.6 * strongest)
    spacing, number = first / 4, 1
    for peak in clear:
        ratio = peak / 4 / spacing
        if round(ratio) == number + 1 and abs(ratio - round(ratio)) < 0.15:
            number += 1
            spacing = peak / 4 / number
    if number < 3:
        raise ImageError(f"only {number} regular distances were found; have five or more lines of the ruling in view")
    return float(spacing)
