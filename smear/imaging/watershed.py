"""Touching cells parted at their necks: a watershed on the distance to the ground."""

import math
from functools import lru_cache

import cv2
import numpy as np

from smear.errors import ImageError
from smear.imaging.contours import SUREST

MIN_CELL_PX = 60  # at model scale, 15 um2: of the drawn cells only slivers at the field's edge are smaller
SMOOTHING_PX = 1.4  # of the distance map, so that a ragged outline makes no peak of its own
NECK = 0.97  # two peaks are two cells when the line between them dips below this share of the lower peak
# with these two values all 328 drawn cells are parted as drawn, from their drawn mask, and 324 on half the grid
GAP_PX = 12  # at model scale: an enclosed piece of ground from here on lies between cells, not in one
_MARGIN_PX = 6  # of ground around each part: smoothing reaches so far, and no peak is sought farther
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_PEAK_PX = 9  # across the round window in which a peak is the highest
_MIN_PEAK_PX = 1.5
_LEAST_HEIGHT = np.float32(0.01)  # of a pixel inside a cell, so that smoothing takes none away
_LEVEL_PX = 0.5  # height of one step of the flood, at a stride of 1
_NEVER = 2**16 - 1

Peak = tuple[float, int, int]
"""Height, x and y."""


def split_touching_cells(cell: np.ndarray, ground: np.ndarray, stride: int = 1) -> np.ndarray:
    """Part touching cells of bool (h, w) at their necks; uint16 (h, w), 0 for ground and 1 to n for cells.

    `ground` is float32 (h, w), the log-odds of ground before holes were filled: the gap in the middle of several cells
    is one. One place stands for `stride` pixels each way; necks are sought between the places as well. The watershed
    goes from the peaks that `NECK` keeps apart.

    Raises:
        ImageError: there are more cells than uint16 can name.
    """
    labels, least = np.zeros(cell.shape, np.uint16), MIN_CELL_PX / stride**2
    at, names = _parts_of(cell, least)
    if not len(at):
        return labels
    on_sheet, shape = _laid_out(names, at, cell.shape[1], stride)
    body, odds, owners = (np.full(shape, value, kind) for value, kind in ((0, np.uint8), (SUREST, "f4"), (-1, "i4")))
    np.put(body, on_sheet, 1)
    np.put(odds, on_sheet, np.take(ground, at))
    np.put(owners, on_sheet, names)
    height = _heights(odds, body, stride)
    peaks = _apart_by_part(height, owners, np.bincount(names) >= least, stride)
    flooded = np.take(_flooded(height, owners, peaks, stride), on_sheet).astype(np.intp)
    # Every part is counted as its seeds and one more: what no seed has reached, which is all of a part without seeds.
    pieces = np.array([1 + len(each) for each in peaks])
    first = np.cumsum(pieces) - pieces
    piece = np.take(first, names) + flooded
    kept = np.bincount(piece, minlength=int(pieces.sum())) >= least
    if np.count_nonzero(kept) > _NEVER:
        raise ImageError(f"more than {_NEVER:,} cells in one picture: check its pixel size, and that it is a smear")
    np.put(labels, at, np.take(np.where(kept, np.cumsum(kept), 0), piece))
    return labels


def _parts_of(cell: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of a flattened field that lie in any part, and the part of each, 0 to n - 1.

    Where there are more than uint16 can name, which is noise, those below `least` places are left out.
    """
    at = np.flatnonzero(cell)
    count, parts = cv2.connectedComponents(cell.view(np.uint8), connectivity=4, ltype=cv2.CV_32S)
    names: np.ndarray = np.take(parts, at)
    if count <= _NEVER:
        return at, names - 1
    large = np.bincount(names, minlength=count) >= least
    inside = np.take(large, names)
    return np.compress(inside, at), np.take(np.cumsum(large) - 1, np.compress(inside, names))


def _laid_out(names: np.ndarray, at: np.ndarray, width: int, stride: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Return where the places `at` of a flattened field of this `width` lie on a flattened sheet, and its shape.

    On the sheet the parts, `names` 0 to n - 1, lie side by side in rows, so far from each other that none is seen from
    another. It is much less than the field as long as cells are few.
    """
    margin = math.ceil(_MARGIN_PX / stride)
    y = at // width
    x = at - y * width
    boxes = bounding_boxes(names, x, y)
    limit = max(2 * width, int(boxes[:, 2].max()) + 2 * margin)
    left, top, right, bottom = margin, margin, 0, margin
    across, down = [], []
    for first_x, first_y, wide, high in boxes.tolist():
        if left + wide + margin > limit:
            left, top = margin, bottom
        across.append(left - first_x)
        down.append(top - first_y)
        left += wide + margin
        right, bottom = max(right, left), max(bottom, top + high + margin)
    shifts = np.array(down) * right + np.array(across)
    return y * right + x + np.take(shifts, names), (bottom, right)


def bounding_boxes(names: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return int (n, 4) of x, y, width, height for pixels named 0 to n - 1, each at least once, row by row."""
    counts = np.bincount(names)
    # one sort instead of n scans; by digits, which is faster, as long as the names fit
    order = np.argsort(names.astype(np.uint16) if len(counts) < _NEVER else names, kind="stable")
    ends = np.cumsum(counts)
    starts = np.append(0, ends[:-1])
    columns, rows = x[order], y[order]
    left, top = np.minimum.reduceat(columns, starts), rows[starts]
    right, bottom = np.maximum.reduceat(columns, starts), rows[ends - 1]
    return np.array([left, top, right - left + 1, bottom - top + 1]).T


def _heights(odds: np.ndarray, body: np.ndarray, stride: int) -> np.ndarray:
    """Return the smoothed distance to the ground in pixels, float32 (h, w), above 0 in uint8 `body` and 0 outside."""
    fine = cv2.resize(odds, None, fx=stride, fy=stride, interpolation=cv2.INTER_LINEAR) if stride > 1 else odds
    inside = _without_pinholes((fine < 0).view(np.uint8))
    height: np.ndarray = cv2.GaussianBlur(cv2.distanceTransform(inside, cv2.DIST_L2, 5), (0, 0), SMOOTHING_PX)
    np.maximum(height, _LEAST_HEIGHT, out=height)
    np.multiply(height, inside, out=height)
    if stride > 1:
        height = cv2.resize(height, body.shape[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(np.maximum(height, _LEAST_HEIGHT) * body)


def _without_pinholes(body: np.ndarray) -> np.ndarray:
    """Return uint8 (h, w), 0 or 1, with what is enclosed and smaller than `GAP_PX` filled: specks, no gaps."""
    count, pieces = cv2.connectedComponents(1 - body, connectivity=4, ltype=cv2.CV_32S)
    if count <= 2:  # what is body, and one ground around it
        return body
    small = np.bincount(pieces.ravel()) < GAP_PX
    small[0] = False
    return np.asarray(body | small[pieces].view(np.uint8))


def _apart_by_part(height: np.ndarray, owners: np.ndarray, large: np.ndarray, stride: int) -> list[list[Peak]]:
    """Return, of each part, the peaks that stand apart, highest first; none where one cell, or less, is all there is.

    int (h, w) `owners` names the parts; bool (n,) `large` are those that may be a cell.
    """
    top = (height >= cv2.dilate(height, _peak_window(stride))) & (height > _MIN_PEAK_PX)
    # A plateau is one peak: its middle.
    count, plateaus = cv2.connectedComponents(top.view(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    found: list[list[Peak]] = [[] for _ in large]
    at = np.flatnonzero(top)
    names, width = np.take(plateaus, at), height.shape[1]
    rows, sizes = at // width, np.maximum(np.bincount(names, minlength=count), 1)
    x, y = (
        np.rint(np.bincount(names, weights=each, minlength=count) / sizes).astype(int)[1:]
        for each in (at - rows * width, rows)
    )
    peaks = zip(height[y, x].tolist(), x.tolist(), y.tolist(), strict=True)
    for part, peak in zip(owners[y, x].tolist(), peaks, strict=True):
        if part >= 0 and large[part]:
            found[part].append(peak)
    apart = [_apart(height, sorted(each, reverse=True)) if len(each) > 1 else [] for each in found]
    return [each if len(each) > 1 else [] for each in apart]


@lru_cache(maxsize=4)
def _peak_window(stride: int) -> np.ndarray:
    edge = 2 * round((_PEAK_PX / stride - 1) / 2) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (edge, edge)))


def _apart(height: np.ndarray, peaks: list[Peak]) -> list[Peak]:
    """Keep the peaks that a neck parts from every higher one."""
    kept: list[Peak] = []
    for peak in peaks:
        if all(_neck_between(height, peak, other) for other in kept):
            kept.append(peak)
    return kept


def _neck_between(height: np.ndarray, low: Peak, high: Peak) -> bool:
    """Tell whether the straight line between two peaks dips as low as a neck: most do in the middle, looked at first.

    Some ten places at most, which NumPy is slower over.
    """
    (top, x, y), (across, down) = low, (high[1] - low[1], high[2] - low[2])
    along = _from_the_middle(max(3, int(math.hypot(across, down))))
    return any(height.item(round(y + down * share), round(x + across * share)) <= NECK * top for share in along)


@lru_cache(maxsize=256)
def _from_the_middle(steps: int) -> list[float]:
    return sorted(np.linspace(0.0, 1.0, steps).tolist(), key=lambda share: abs(share - 0.5))


def _flooded(height: np.ndarray, owners: np.ndarray, peaks: list[list[Peak]], stride: int) -> np.ndarray:
    """Return uint16 (h, w): each part with peaks grown from them, 1 to n in their order; 0 elsewhere."""
    labels = np.zeros(height.shape, np.uint16)
    clumps = [part for part, each in enumerate(peaks) if each]
    if not clumps:
        return labels
    highest = np.full(len(peaks) + 1, -1.0)  # the last is the ground's, whose owner is -1
    for part in clumps:
        highest[part] = peaks[part][0][0]
        for name, (_, x, y) in enumerate(peaks[part], start=1):
            labels[y, x] = name
    tops = np.take(highest, owners.ravel(), mode="wrap").reshape(height.shape)
    down = np.maximum(tops - height, 0) / (_LEVEL_PX * stride)
    _flood(np.where(tops >= 0, down.astype(np.uint16), np.uint16(_NEVER)), labels)
    return labels


def _flood(turns: np.ndarray, labels: np.ndarray) -> None:
    """Grow uint16 `labels`, in place, until they meet; a pixel may be taken from step `turns` on, `_NEVER` never."""
    for turn in range(int(turns[turns < _NEVER].max()) + 1):
        free = ((turns <= turn) & (labels == 0)).astype(np.uint16)
        while cv2.hasNonZero(free):
            new = cv2.multiply(cv2.dilate(labels, _CROSS), free)
            if not cv2.hasNonZero(new):
                break
            cv2.add(labels, new, labels)
            cv2.subtract(free, new, free)  # saturates: what is taken is free no longer
