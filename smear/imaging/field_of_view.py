"""The field of view of an eyepiece in a picture: the black or white rim around it is no part of the slide."""

from dataclasses import replace

import cv2
import numpy as np

from smear.imaging.resampling import ModelFrame, content_of
from smear.imaging.stain_normalization import background_colour

BLACK, WHITE = 60, 250  # a corner is black if no channel is lighter, white if none is darker; phones: 0 to 30 and 255
DARK_SHARE = 0.35  # of the light in the picture (95th percentile): darker is the rim, lighter its soft shoulder
LEAST_BLACK, LEAST_WHITE = 0.02, 0.1  # of the picture; overexposed glass in a corner is white too, a disc leaves 0.2
LEAST_FIELD = 0.25  # of the picture; what is smaller is one cell on bare ground
WHOLE = 0.9  # of its convex hull that is light: dark cells at the rim bite into a field of view
ROUND = 0.03  # of the radius: root mean square distance of the edge from a circle
MOST_BEYOND = 0.02  # of the picture: light parts outside the field of view are reflections
SHOULDER = 0.03  # of the field's width: cut off all round, since the edge of an eyepiece is soft
_SEEN_PX = 128  # longer side that the rim is sought at


def without_rim(view: ModelFrame) -> ModelFrame:
    """Return `view` with what lies outside a field of view painted in the colour of its background.

    A picture without a rim is returned as it is; `ModelFrame.outside` tells which pixels were painted.
    """
    content = content_of(view.pixels, view)
    found = find_rim(content)
    if found is None:
        return view
    (left, top), (width, height), shape = view.offset, view.content, view.pixels.shape
    borders = top, shape[0] - top - height, left, shape[1] - left - width  # mirrored, and the rim with them
    outside = np.asarray(cv2.copyMakeBorder(found.view(np.uint8), *borders, cv2.BORDER_REFLECT)).view(bool)
    pixels = view.pixels.copy()
    pixels[outside] = np.rint(background_colour(content, found))
    return replace(view, pixels=pixels, outside=outside)


def hide_outside(probabilities: np.ndarray, view: ModelFrame) -> np.ndarray:
    """Return float (h, w, 3) with all that lies outside a field of view sure to be background: never a cell."""
    if view.outside is None:
        return probabilities
    grid = probabilities.shape[1::-1]
    hidden = cv2.resize(view.outside.view(np.uint8), grid, interpolation=cv2.INTER_AREA).astype(bool)
    shown = probabilities.copy()
    shown[hidden] = (1.0, 0.0, 0.0)
    return shown


def find_rim(image: np.ndarray) -> np.ndarray | None:
    """Return bool (h, w) of what lies outside the field of view in RGB uint8 (h, w, 3); None where there is no rim.

    A rim is black or white, reaches a corner, and leaves a disc, as far as the picture holds it, or a band.
    """
    corners = [image[y, x].tolist() for y in (0, -1) for x in (0, -1)]
    black, white = any(max(each) <= BLACK for each in corners), any(min(each) >= WHITE for each in corners)
    if not (black or white):
        return None
    height, width = image.shape[:2]
    share = min(1.0, _SEEN_PX / max(height, width))
    size = max(1, round(width * share)), max(1, round(height * share))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    if black:
        grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        rim = grey < DARK_SHARE * float(np.percentile(grey, 95))
    else:
        rim = small.min(axis=2) >= WHITE
    field = _field_within(rim, LEAST_BLACK if black else LEAST_WHITE)
    if field is None:
        return None
    whole = cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(whole < 128)


def _field_within(rim: np.ndarray, least: float) -> np.ndarray | None:
    """Return uint8 (h, w), from 128 on in the field of view that bool (h, w) `rim` leaves; None where it leaves none.

    What lies outside it must be at least the share `least` of the picture.
    """
    _, parts = cv2.connectedComponents(np.pad(rim, 1, constant_values=True).view(np.uint8), connectivity=4)
    reached = (parts == parts[0, 0])[1:-1, 1:-1]  # from the border of the picture
    if not least <= reached.mean() <= 1 - LEAST_FIELD:
        return None
    contours, _ = cv2.findContours((~reached).view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = cv2.convexHull(max(contours, key=cv2.contourArea))
    field = np.zeros(rim.shape, np.uint8)
    cv2.fillConvexPoly(field, hull, 255)
    inside = field > 0
    lit, beyond = np.count_nonzero(inside & ~reached), np.count_nonzero(~inside & ~reached)
    if (
        not LEAST_FIELD <= inside.mean() <= 1 - least
        or lit < WHOLE * np.count_nonzero(inside)
        or beyond > MOST_BEYOND * rim.size
    ):
        return None
    shoulder = SHOULDER * np.sqrt(np.count_nonzero(inside))
    circle = _circle_of(hull.reshape(-1, 2).astype(float), rim.shape)
    if circle is not None:
        x, y, radius = circle
        rows, columns = np.mgrid[0 : rim.shape[0], 0 : rim.shape[1]]
        depth = radius - np.hypot(columns - x, rows - y)
    elif _is_band(inside):
        depth = cv2.distanceTransform(np.pad(field, 1, mode="edge"), cv2.DIST_L2, 5)[1:-1, 1:-1]
    else:
        return None
    return np.asarray(np.clip(128 + (depth - shoulder) * 127, 0, 255).astype(np.uint8))


def _is_band(inside: np.ndarray) -> bool:
    """Tell whether the field reaches across the whole picture in one direction, between straight bars."""
    rows, columns = inside.any(axis=1), inside.any(axis=0)
    box = np.count_nonzero(rows) * np.count_nonzero(columns)
    return bool((rows.all() or columns.all()) and np.count_nonzero(inside) >= 0.98 * box)


def _circle_of(edge: np.ndarray, shape: tuple[int, ...]) -> tuple[float, float, float] | None:
    """Return x, y and radius of the circle on which float (n, 2) `edge` lies, except where the picture cuts it.

    None where it lies on none, or on one so large that it is a straight line.
    """
    height, width = shape[:2]
    free = ((edge > 1) & (edge < (width - 2, height - 2))).all(axis=1)
    if np.count_nonzero(free) < 8:
        return None
    x, y = edge[free].T
    terms = np.stack([2 * x, 2 * y, np.ones_like(x)], axis=1)
    solved, found = cv2.solve(terms, (x * x + y * y)[:, np.newaxis], flags=cv2.DECOMP_SVD)
    if not solved:
        return None
    a, b, c = np.ravel(found).tolist()  # of x^2 + y^2 = 2 a x + 2 b y + c
    radius = float(np.sqrt(max(c + a * a + b * b, 0.0)))
    away = np.hypot(x - a, y - b) - radius
    if not (radius <= 1.5 * max(shape) and np.sqrt(np.mean(away**2)) <= ROUND * radius):
        return None
    return a, b, radius
