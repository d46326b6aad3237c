"""Red cells as circles: how wide they are, free or overlapping, by their edges alone.

Every edge pixel votes for the places where the middle of its cell would be, one for each radius: against its gradient,
since a red cell is darker than the background. Where many meet a circle is measured along rays from its middle. A
threshold on colour would need cells that touch no other; in half of the data set's fields there are fewer than five.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

RADII_PX = (3.8 * 1.2 ** np.arange(8)).astype(np.float32)  # 3.8 to 13.6: half to twice a red cell at model scale
VOTE_PX = 1.5  # edge of a place that votes are counted in; two by two places are one middle
MIN_VOTES = 0.28  # of the circumference: what every second red cell under another one still has
MAX_CIRCLES = 80  # 4 times as many as the median field of the data set has free red cells
SMOOTHING_PX = 1.0
WEAKEST_EDGE = 0.25  # of the strong edges of this field (their 93rd percentile): overlapped rims have half of it
LEAST_EDGE = 8.0  # Sobel's sum of a step of 2 grey levels: noise
WHITE_CELL_PX = 3  # around leukocytes no edge is looked at
RAYS = 12
MOST_OF_A_RAY = 1.5  # one ray says no more than this many times the mean ray: a neighbour's dark rim
_REACH = np.geomspace(0.7, 1.42, 11).astype(np.float32)  # along a ray, of the radius that was voted for
_ANGLES = np.arange(RAYS)[:, np.newaxis] * (2 * np.pi / RAYS)
_RAY_X, _RAY_Y = np.cos(_ANGLES).astype(np.float32), np.sin(_ANGLES).astype(np.float32)
_MARGIN = 3  # places around the field that take the votes for middles outside it
_HALF_VOTE = 128  # full circle of votes in a byte, so that twice as many still fit
_ROW, _COLUMN = np.ones((1, 3), np.uint8), np.ones((3, 1), np.uint8)
_APART = np.ones((5, 5), np.uint8)  # places, 7 px: of two circles nearer to each other one is kept
_AROUND = np.ones((2 * WHITE_CELL_PX + 1,) * 2, np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Circles:
    """The circles of one picture; all float32 (n,)."""

    diameters: np.ndarray  # pixels
    votes: np.ndarray  # share of the circumference whose edge points to the middle, 0 to 2
    evenness: np.ndarray  # 0 to 1: how evenly the edge is spread over the rays


@dataclass(frozen=True, slots=True, eq=False)
class _Edges:
    """Edge pixels, float32 (n,) each: place, and direction towards the brighter side."""

    x: np.ndarray
    y: np.ndarray
    across: np.ndarray
    down: np.ndarray


def find_circles(green: np.ndarray, excluded: np.ndarray) -> Circles:
    """Find what is round, darker than what lies around it, and 8 to 27 pixels across.

    `green` is uint8 (h, w), the channel that haemoglobin absorbs most; bool (h, w) `excluded` is what is no red cell.
    """
    smooth = cv2.GaussianBlur(green, (5, 5), SMOOTHING_PX)
    edges = _edges(smooth, excluded)
    middles = _middles(_votes(edges, green.shape)) if edges is not None else None
    if middles is None:
        nothing = np.zeros(0, np.float32)
        return Circles(nothing, nothing, nothing)
    x, y, radii, votes = middles
    diameters, evenness, measured = _measured(smooth, x, y, radii)
    return Circles(diameters[measured], votes[measured], evenness[measured])


def _edges(smooth: np.ndarray, excluded: np.ndarray) -> _Edges | None:
    """Return the crests of the gradient that are strong for this picture; None where there are too few."""
    dx, dy = cv2.spatialGradient(smooth)
    across, down = cv2.convertScaleAbs(dx, alpha=0.5), cv2.convertScaleAbs(dy, alpha=0.5)
    # length within 8 %, in bytes: as exact as this needs, at a tenth of the time
    steep = cv2.addWeighted(cv2.max(across, down), 1, cv2.min(across, down), 0.4, 0)
    free = np.asarray(cv2.erode((~excluded).view(np.uint8), _AROUND))
    free *= 255
    free[:2], free[-2:], free[:, :2], free[:, -2:] = 0, 0, 0, 0
    counts = cv2.calcHist([cv2.bitwise_and(steep, free)], [0], None, [256], [0, 256]).ravel()
    counts[0] -= free.size - cv2.countNonZero(free)
    reached = np.cumsum(counts)
    strong = float(np.searchsorted(reached, 0.93 * reached[-1]))
    _, crest = cv2.threshold(steep, max(WEAKEST_EDGE * strong, LEAST_EDGE / 2), 255, cv2.THRESH_BINARY)
    level = cv2.compare(across, down, cv2.CMP_GE)
    in_row, in_column = (cv2.compare(steep, cv2.dilate(steep, way), cv2.CMP_GE) for way in (_ROW, _COLUMN))
    highest = cv2.bitwise_or(cv2.bitwise_and(in_row, level), cv2.bitwise_and(in_column, cv2.bitwise_not(level)))
    crest = cv2.bitwise_and(cv2.bitwise_and(crest, highest), free)
    at = np.flatnonzero(crest != 0)
    if len(at) < 2 * math.pi * RADII_PX[0]:
        return None
    y = at // smooth.shape[1]
    x = at - y * smooth.shape[1]
    ux, uy = (np.take(each, at).astype(np.float32) for each in (dx, dy))
    length = np.sqrt(ux * ux + uy * uy)
    return _Edges(x.astype(np.float32), y.astype(np.float32), ux / length, uy / length)


def _votes(edges: _Edges, shape: tuple[int, ...]) -> np.ndarray:
    """Return uint8 (radii, h', w'): votes for a middle in and about each place, `_HALF_VOTE` for a full circle."""
    height, width = (int(side / VOTE_PX) + 2 * _MARGIN + 2 for side in shape[:2])
    step = np.float32(1 / VOTE_PX)
    place = np.zeros((len(RADII_PX), len(edges.x)), np.int32)
    for from_edge, at, side in ((edges.down, edges.y, height), (edges.across, edges.x, width)):
        places = np.multiply.outer(-step * RADII_PX, from_edge)
        places += (at + np.float32(0.5)) * step + _MARGIN
        np.maximum(places, 0, out=places)
        np.minimum(places, side - 1, out=places)
        place *= side
        place += places.astype(np.int32)
    place += (np.arange(len(RADII_PX), dtype=np.int32) * (height * width))[:, np.newaxis]
    # no more than 2 pi 13.6 edge pixels, and their neighbours on a ring, can vote for one place: a byte holds them
    single = np.zeros((len(RADII_PX) * height, width), np.uint8)
    np.add.at(single.reshape(-1), place.ravel(), np.uint8(1))
    pairs, fours = np.zeros_like(single), np.zeros_like(single)
    cv2.add(single[:, 1:], single[:, :-1], pairs[:, 1:])
    cv2.add(pairs[1:], pairs[:-1], fours[1:])
    votes = fours.reshape(len(RADII_PX), height, width)
    for plane, radius in zip(votes, RADII_PX.tolist(), strict=True):
        cv2.convertScaleAbs(plane, plane, alpha=_HALF_VOTE / (2 * math.pi * radius))
    return votes


def _middles(votes: np.ndarray) -> tuple[np.ndarray, ...] | None:
    """Return x, y and radius in pixels and the votes of each circle, float32 (n,); None where there is none."""
    best = votes.max(axis=0)
    best[:_MARGIN], best[-_MARGIN:], best[:, :_MARGIN], best[:, -_MARGIN:] = 0, 0, 0, 0
    highest = np.maximum(cv2.dilate(best, _APART), np.uint8(MIN_VOTES * _HALF_VOTE))
    found = cv2.compare(best, highest, cv2.CMP_GE)
    at = np.flatnonzero(found != 0)
    if not len(at):
        return None
    y, x = np.divmod(at, found.shape[1])
    share = best[y, x]
    if len(x) > MAX_CIRCLES:
        first = np.argpartition(-share.astype(np.int16), MAX_CIRCLES)[:MAX_CIRCLES]
        x, y, share = x[first], y[first], share[first]
    radii = np.take(RADII_PX, votes[:, y, x].argmax(axis=0))
    # two by two places were summed up: their common corner is the middle
    in_pixels = [((at - _MARGIN) * VOTE_PX - 0.5).astype(np.float32) for at in (x, y)]
    return *in_pixels, radii, share / np.float32(_HALF_VOTE)


def _measured(
    smooth: np.ndarray, x: np.ndarray, y: np.ndarray, radii: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the diameter and evenness of each circle, and bool (n,) whether its edge lies within reach.

    The diameter is where, over all rays, it brightens most from one step outwards to the next.
    """
    along = np.multiply.outer(_REACH, radii)[:, np.newaxis]  # reach, ray, circle: sums go over the first two
    map_x, map_y = _RAY_X * along + x, _RAY_Y * along + y
    flat = len(_REACH) * RAYS, len(x)
    grey = cv2.remap(smooth, map_x.reshape(flat), map_y.reshape(flat), cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
    grey = grey.astype(np.float32).reshape(map_x.shape)
    rises = (grey[2:] - grey[:-2]) / (_REACH[2:] - _REACH[:-2])[:, np.newaxis, np.newaxis]
    most = np.maximum(rises.max(axis=0).mean(axis=0) * MOST_OF_A_RAY, 1e-3)
    np.maximum(rises, 0, out=rises)
    np.minimum(rises, most, out=rises)
    profile = rises.mean(axis=1)
    top = profile.argmax(axis=0)
    middle, circle = np.minimum(np.maximum(top, 1), len(profile) - 2), np.arange(len(x))
    before, at, after = (profile[middle + step, circle] for step in (-1, 0, 1))
    between = np.clip(0.5 * (before - after) / np.minimum(before - 2 * at + after, -1e-6), -0.5, 0.5)  # of a parabola
    step = math.log(_REACH[-1] / _REACH[0]) / (len(_REACH) - 1)
    diameters = 2 * radii * _REACH[1] * np.exp(step * (middle + between))
    return diameters, at / most * MOST_OF_A_RAY, (top > 0) & (top < len(profile) - 1)
