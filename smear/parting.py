"""Touching cells parted at their necks: a watershed on the distance to the ground."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from smear.borders import log_odds

MIN_CELL_PX = 60  # at model scale, 15 um2: of the drawn cells only slivers at the field's edge are smaller
SMOOTHING_PX = 1.4  # of the distance map, so that a ragged outline makes no peak of its own
NECK = 0.97  # two peaks are two cells when the line between them dips below this share of the lower peak
# with these two values all 328 drawn cells are parted as drawn, from their drawn mask, and 324 on half the grid
GAP_PX = 12  # at model scale: an enclosed piece of ground from here on lies between cells, not in one
_BETWEEN = 2  # places between two windows of a strip
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_PEAK_PX = 9  # across the round window in which a peak is the highest
_MIN_PEAK_PX = 1.5
_LEAST_HEIGHT = 0.01  # of a pixel inside a cell, so that smoothing takes none away
_LEVEL_PX = 0.5  # height of one step of the flood, at a stride of 1
_FEW = 150  # peaks that are compared each with each other faster than all pixels of a field are walked through
_NEVER = 2**16 - 1

Peak = tuple[float, int, int]
"""Height, x and y."""


def separate(cell: np.ndarray, stride: int = 1, ground: np.ndarray | None = None) -> np.ndarray:
    """Part touching cells of bool (h, w) at their necks; int32 (h, w), 0 for ground and 1 to n for cells.

    One place of `cell` stands for `stride` pixels each way. The watershed goes from the peaks that `NECK` keeps apart.
    With `ground`, float (h, w), how likely each place is ground, necks are sought between the places as well, and in
    what was ground before holes were filled: the gap in the middle of several cells is one.
    """
    body, least = cell.view(np.uint8), MIN_CELL_PX / stride**2
    labels = np.zeros(cell.shape, np.int32)
    columns, rows = points_of(body)
    if not len(rows):
        return labels
    count, parts = cv2.connectedComponents(body, connectivity=4, ltype=cv2.CV_32S)
    names = parts[rows, columns]
    large = np.bincount(names, minlength=count) >= least
    if ground is None:
        height = _heights(body, stride)
    else:
        height = _sure_heights(ground, parts, boxes_of(names - 1, columns, rows), stride)
    tops = {part: _apart(height, peaks) for part, peaks in _peaks_by_part(height, parts, stride).items() if large[part]}
    clumps = _clumps(tops, names, columns, rows)
    floods = _flooded(height, parts, clumps, stride)
    sizes = [np.bincount(flood.ravel())[1:] for flood in floods]  # a seed keeps its place
    cells = large.astype(np.int64)  # in each part; the ground is none
    cells[0] = 0
    for clump, each in zip(clumps, sizes, strict=True):
        cells[clump.part] = np.count_nonzero(each >= least)
    last = np.cumsum(cells)
    whole = np.where(large, last, 0)
    whole[[0, *(clump.part for clump in clumps)]] = 0
    labels[rows, columns] = whole[names]
    for clump, flood, each in zip(clumps, floods, sizes, strict=True):
        kept = each >= least
        numbers = np.concatenate([[0], np.where(kept, last[clump.part] - kept.sum() + np.cumsum(kept), 0)])
        labels[clump.window] += numbers[flood].astype(np.int32)
    return labels


def window_of(box: np.ndarray) -> tuple[slice, slice]:
    """Return the rows and columns of a box of x, y, width, height."""
    x, y, width, height = box.tolist()
    return slice(y, y + height), slice(x, x + width)


def points_of(body: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y of every pixel of uint8 (h, w) that is not 0, row by row: five times as fast as NumPy."""
    if not cv2.hasNonZero(body):
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    x, y = cv2.findNonZero(body).reshape(-1, 2).T
    return x, y


def _heights(body: np.ndarray, stride: int) -> np.ndarray:
    """Return the smoothed distance to the ground in pixels, float32 (h, w), above 0 inside and 0 outside."""
    distance: np.ndarray = np.asarray(cv2.distanceTransform(body, cv2.DIST_L2, 5), np.float32)
    np.minimum(distance, np.float32(max(body.shape)), out=distance)  # boundless without ground
    if stride > 1:  # counted between middles, of which the ground's lies half a place beyond the border
        np.multiply(distance, np.float32(stride), out=distance)
        np.subtract(distance, np.float32((stride - 1) / 2), out=distance)
        np.maximum(distance, np.float32(0), out=distance)
    height = cv2.GaussianBlur(distance, (0, 0), SMOOTHING_PX / stride)
    np.maximum(height, np.float32(_LEAST_HEIGHT), out=height)
    np.multiply(height, body, out=height)
    return np.asarray(height)


def _sure_heights(ground: np.ndarray, parts: np.ndarray, boxes: np.ndarray, stride: int) -> np.ndarray:
    """Return `_heights` of the cells before holes were filled, found between the places of the grid.

    The windows of all parts, named as `boxes` are counted from 1, lie side by side in one strip, which is less than
    the field as long as cells are few.
    """
    boxes = boxes.tolist()
    wide, high = sum(width + _BETWEEN for _, _, width, _ in boxes), max(height for *_, height in boxes)
    if (wide + _BETWEEN) * (high + 2 * _BETWEEN) >= parts.size:
        return _heights_between(ground, (parts > 0).view(np.uint8), stride)
    strip = np.ones((high + 2 * _BETWEEN, wide + _BETWEEN), np.float32)
    body = np.zeros(strip.shape, np.uint8)
    height, windows, start = np.zeros(parts.shape, np.float32), [], _BETWEEN
    for part, (x, y, width, tall) in enumerate(boxes, start=1):
        own, there = np.s_[y : y + tall, x : x + width], np.s_[_BETWEEN : _BETWEEN + tall, start : start + width]
        inside = parts[own] == part
        np.copyto(strip[there], ground[own], where=inside)
        body[there] = inside
        windows.append((own, there))
        start += width + _BETWEEN
    heights = _heights_between(strip, body, stride)
    for own, there in windows:
        height[own] += heights[there]
    return height


def _heights_between(ground: np.ndarray, body: np.ndarray, stride: int) -> np.ndarray:
    odds = log_odds(ground)
    fine = cv2.resize(odds, None, fx=stride, fy=stride, interpolation=cv2.INTER_LINEAR) if stride > 1 else odds
    height = _heights(_without_pinholes((fine < 0).view(np.uint8)), 1)
    if stride > 1:
        height = cv2.resize(height, body.shape[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(np.maximum(height, np.float32(_LEAST_HEIGHT)) * body)


def _without_pinholes(body: np.ndarray) -> np.ndarray:
    """Return uint8 (h, w), 0 or 1, with what is enclosed and smaller than `GAP_PX` filled: specks, no gaps."""
    if not body[0, 0]:
        outside, flooded, _, _ = cv2.floodFill(body.copy(), np.zeros(0, np.uint8), (0, 0), 1)
        if outside >= GAP_PX and cv2.countNonZero(flooded) == body.size:
            return body  # one ground around all cells, and nothing is enclosed
    _, parts, stats, _ = cv2.connectedComponentsWithStats(1 - body, connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] < GAP_PX
    small[0] = False
    return body | small[parts].view(np.uint8) if small.any() else body


def _peaks_by_part(height: np.ndarray, parts: np.ndarray, stride: int) -> dict[int, list[Peak]]:
    """Return every local maximum, highest first, by the name of the part it is in."""
    top = height >= cv2.dilate(height, _peak_window(stride))
    top &= height > _MIN_PEAK_PX
    columns, rows = points_of(top.view(np.uint8))
    found: dict[int, list[Peak]] = {}
    if not len(rows):
        return found
    # A plateau is one peak: its middle.
    names = _plateaus(top.view(np.uint8), columns, rows)
    sizes = np.bincount(names)
    x, y = (np.rint(np.bincount(names, weights=each) / np.maximum(sizes, 1)).astype(int) for each in (columns, rows))
    x, y = x[sizes > 0], y[sizes > 0]
    for part, peak in zip(
        parts[y, x].tolist(), zip(height[y, x].tolist(), x.tolist(), y.tolist(), strict=True), strict=True
    ):
        found.setdefault(part, []).append(peak)
    for peaks in found.values():
        peaks.sort(reverse=True)
    return found


def _plateaus(top: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return int (n,): the same name for those points of uint8 (h, w) `top` that hang together, edge or corner."""
    if len(rows) > _FEW:
        _, plateaus = cv2.connectedComponents(top, connectivity=8, ltype=cv2.CV_32S)
        return np.asarray(plateaus[rows, columns])
    near = (np.abs(columns[:, np.newaxis] - columns) <= 1) & (np.abs(rows[:, np.newaxis] - rows) <= 1)
    names = np.arange(len(rows))
    while True:
        lowest = np.where(near, names, len(names)).min(axis=1)
        if np.array_equal(lowest, names):
            return names
        names = lowest


def _peak_window(stride: int) -> np.ndarray:
    edge = 2 * round((_PEAK_PX / stride - 1) / 2) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (edge, edge)))


def _apart(height: np.ndarray, peaks: list[Peak]) -> list[Peak]:
    """Keep the peaks that a neck parts from every higher one."""
    kept: list[Peak] = []
    for peak in peaks:
        if all(_neck(height, peak, other) <= NECK * peak[0] for other in kept):
            kept.append(peak)
    return kept


def _neck(height: np.ndarray, a: Peak, b: Peak) -> float:
    """Return the lowest height on the straight line between two peaks."""
    along = _along(max(3, int(math.hypot(a[1] - b[1], a[2] - b[2]))))
    x, y = np.rint(a[1] + (b[1] - a[1]) * along).astype(int), np.rint(a[2] + (b[2] - a[2]) * along).astype(int)
    return float(height[y, x].min())


@lru_cache(maxsize=256)
def _along(steps: int) -> np.ndarray:
    return np.linspace(0.0, 1.0, steps)


@dataclass(frozen=True, slots=True)
class _Clump:
    """A part with more than one peak that stands apart."""

    part: int
    window: tuple[slice, slice]
    seeds: list[tuple[int, int]]  # x, y in the window


def _clumps(tops: dict[int, list[Peak]], names: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> list[_Clump]:
    """Return the clumps by number of their part; the arrays are the pixels of all parts."""
    parts = sorted(part for part, peaks in tops.items() if len(peaks) > 1)
    if not parts:
        return []
    clumped = np.zeros(int(names.max()) + 1, bool)
    clumped[parts] = True
    inside = clumped[names]
    boxes = boxes_of(np.searchsorted(parts, names[inside]), columns[inside], rows[inside])
    return [
        _Clump(part, window_of(box), [(x - int(box[0]), y - int(box[1])) for _, x, y in tops[part]])
        for part, box in zip(parts, boxes, strict=True)
    ]


def _flooded(height: np.ndarray, parts: np.ndarray, clumps: Sequence[_Clump], stride: int) -> list[np.ndarray]:
    """Return the flooded window of each clump, uint16: 1 to n grown from its seeds, 0 beside it.

    All clumps lie side by side in one strip, so that one step of the flood is one step for all.
    """
    if not clumps:
        return []
    sizes = [parts[clump.window].shape for clump in clumps]
    starts = np.cumsum([0] + [width + 1 for _, width in sizes])
    turns = np.full((max(high for high, _ in sizes), starts[-1]), _NEVER, np.uint16)
    labels = np.zeros(turns.shape, np.uint16)
    for clump, (high, width), start in zip(clumps, sizes, starts.tolist(), strict=False):
        inside, heights = parts[clump.window] == clump.part, height[clump.window].astype(np.float64)
        down = (heights[inside].max() - heights) / (_LEVEL_PX * stride)
        turns[:high, start : start + width] = np.where(inside, down.astype(np.uint16), _NEVER)
        for name, (x, y) in enumerate(clump.seeds, start=1):
            labels[y, start + x] = name
    _flood(turns, labels)
    return [labels[:high, start : start + width] for (high, width), start in zip(sizes, starts.tolist(), strict=False)]


def _flood(turns: np.ndarray, labels: np.ndarray) -> None:
    """Grow uint16 `labels`, in place, until they meet; a pixel may be taken from step `turns` on, `_NEVER` never."""
    for turn in np.unique(turns[turns < _NEVER]).tolist():
        free = ((turns <= turn) & (labels == 0)).astype(np.uint16)
        while True:
            new = cv2.multiply(cv2.dilate(labels, _CROSS), free)
            if not cv2.countNonZero(new):
                break
            cv2.add(labels, new, labels)
            cv2.subtract(free, new, free)  # saturates: what is taken is free no longer


def boxes_of(names: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return int (n, 4) of x, y, width, height for pixels named 0 to n - 1, by one sort instead of n scans."""
    order = np.argsort(names.astype(np.uint16) if names.max() < 2**16 else names, kind="stable")
    starts = np.flatnonzero(np.diff(names[order], prepend=-1))
    x, y = columns[order], rows[order]
    first = np.stack([np.minimum.reduceat(each, starts) for each in (x, y)], axis=1)
    last = np.stack([np.maximum.reduceat(each, starts) for each in (x, y)], axis=1)
    return np.concatenate([first, last - first + 1], axis=1)
