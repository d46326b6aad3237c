"""Splits touching cells at their necks: a watershed on the distance to the background."""

import math
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from smear.errors import ImageError
from smear.imaging.contours import MAX_LOG_ODDS

MIN_CELL_PX = 60  # at model scale, 15 um2: of the hand-drawn cells only slivers at the field's edge are smaller
SMOOTHING_PX = 1.4  # sigma applied to the distance map, so that a ragged outline adds no peak
NECK = 0.97  # two peaks are two cells when the line between them dips below this share of the lower peak
# With these two values all 328 hand-drawn cells are split as drawn, from their drawn mask, and 324 at a stride of 2.
GAP_PX = 12  # at model scale: an enclosed background region of at least this area lies between cells, not in one
MIN_PEAK_PX = 1.5  # distance to the background below which a peak is no cell
LEVEL_STEP_PX = 0.5  # height of one step of the flood, at a stride of 1
CROSS = np.asarray(cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)), np.uint8)
_PEAK_WINDOW_PX = 9  # diameter of the round window in which a peak must be the highest
_MARGIN_PX = 6  # background around each component: smoothing and the search for peaks reach no farther
_MIN_HEIGHT = np.float32(0.01)  # of a pixel inside a cell, so that smoothing removes none
_UINT16_MAX = 2**16 - 1  # most cells that can be labelled; as a flood step: never

Peak = tuple[float, int, int]
"""Height, x and y."""

_Indices = NDArray[np.signedinteger]


def split_touching_cells(
    cell: NDArray[np.bool_], background_log_odds: NDArray[np.float32], stride: int = 1
) -> NDArray[np.uint16]:
    """Split touching cells at their necks and label them.

    Args:
        cell: bool (h, w), holes filled.
        background_log_odds: float32 (h, w), before holes were filled, as the gap in the middle of a ring of cells is a
            hole too.
        stride: pixels at model scale per grid point, each way; necks are also sought between grid points.

    Returns:
        uint16 (h, w): 0 for background, 1 to n for cells.

    Raises:
        ImageError: there are more cells than uint16 can label.
    """
    labels, min_area = np.zeros(cell.shape, np.uint16), MIN_CELL_PX / stride**2
    indices, components = _label_components(cell, min_area)
    if not len(indices):
        return labels
    packed, shape = _pack(components, indices, cell.shape[1], stride)
    inside = np.zeros(shape, np.uint8)
    log_odds = np.full(shape, MAX_LOG_ODDS, np.float32)
    owners = np.full(shape, -1, np.int32)
    inside.reshape(-1)[packed] = 1
    log_odds.reshape(-1)[packed] = np.take(background_log_odds, indices)
    owners.reshape(-1)[packed] = components
    height = _height_map(log_odds, inside, stride)
    peaks = _separate_peaks(height, owners, np.bincount(components) >= min_area, stride)
    flooded = np.take(_flood_from_peaks(height, owners, peaks, stride), packed).astype(np.intp)
    # Each component has one piece per peak, and one more for what no peak has reached: all of it if it has no peaks.
    piece_counts = np.array([1 + len(each) for each in peaks])
    first = np.cumsum(piece_counts) - piece_counts
    piece = np.take(first, components) + flooded
    kept = np.bincount(piece, minlength=int(piece_counts.sum())) >= min_area
    if np.count_nonzero(kept) > _UINT16_MAX:
        raise ImageError(
            f"more than {_UINT16_MAX:,} cells in one picture: check its pixel size, and that it is a smear"
        )
    labels.reshape(-1)[indices] = np.take(np.where(kept, np.cumsum(kept), 0), piece)
    return labels


def _label_components(cell: NDArray[np.bool_], min_area: float) -> tuple[_Indices, _Indices]:
    """Return the flat indices of all cell pixels, and the connected component of each, 0 to n - 1.

    Where there are more components than uint16 can label, which is noise, those below `min_area` are left out.
    """
    indices = np.flatnonzero(cell)
    count, component_map = cv2.connectedComponents(cell.view(np.uint8), connectivity=4, ltype=cv2.CV_32S)
    components = np.take(np.asarray(component_map, np.int32), indices)
    if count <= _UINT16_MAX:
        return indices, components - 1
    large = np.bincount(components, minlength=count) >= min_area
    inside = np.take(large, components)
    return np.compress(inside, indices), np.take(np.cumsum(large) - 1, np.compress(inside, components))


def _pack(components: _Indices, indices: _Indices, width: int, stride: int) -> tuple[_Indices, tuple[int, int]]:
    """Return flat indices of the same pixels in a smaller image that packs the components in rows, and its shape.

    `indices` are flat indices in a field of this `width`; `components`, 0 to n - 1, are packed `_MARGIN_PX` apart, so
    that none affects another. As long as cells are few this is much smaller than the field.
    """
    margin = math.ceil(_MARGIN_PX / stride)
    y = indices // width
    x = indices - y * width
    boxes = bounding_boxes(components, x, y)
    limit = max(2 * width, int(boxes[:, 2].max()) + 2 * margin)
    left, top, right, bottom = margin, margin, 0, margin
    shifts_x, shifts_y = [], []
    for first_x, first_y, box_width, box_height in boxes.tolist():
        if left + box_width + margin > limit:
            left, top = margin, bottom
        shifts_x.append(left - first_x)
        shifts_y.append(top - first_y)
        left += box_width + margin
        right, bottom = max(right, left), max(bottom, top + box_height + margin)
    shifts = np.array(shifts_y) * right + np.array(shifts_x)
    return y * right + x + np.take(shifts, components), (bottom, right)


def bounding_boxes(components: _Indices, x: _Indices, y: _Indices) -> NDArray[np.intp]:
    """Return int (n, 4) of x, y, width and height of components 0 to n - 1, from their pixels in row-major order."""
    counts = np.bincount(components)
    # One sort instead of n scans; a radix sort, which is faster, as long as the numbers fit in 16 bits.
    keys = components.astype(np.uint16) if len(counts) < _UINT16_MAX else components
    order = np.argsort(keys, kind="stable")
    ends = np.cumsum(counts)
    starts = np.append(0, ends[:-1])
    columns, rows = x[order], y[order]
    left, top = np.minimum.reduceat(columns, starts), rows[starts]
    right, bottom = np.maximum.reduceat(columns, starts), rows[ends - 1]
    return np.array([left, top, right - left + 1, bottom - top + 1]).T


def _height_map(log_odds: NDArray[np.float32], inside: NDArray[np.uint8], stride: int) -> NDArray[np.float32]:
    """Return the smoothed distance to the background in pixels, float32 (h, w): above 0 where `inside`, else 0."""
    fine = cv2.resize(log_odds, None, fx=stride, fy=stride, interpolation=cv2.INTER_LINEAR) if stride > 1 else log_odds
    fine_inside = _fill_pinholes((fine < 0).view(np.uint8))
    distance = cv2.distanceTransform(fine_inside, cv2.DIST_L2, 5)
    height = np.asarray(cv2.GaussianBlur(distance, (0, 0), SMOOTHING_PX), np.float32)
    np.maximum(height, _MIN_HEIGHT, out=height)
    np.multiply(height, fine_inside, out=height)
    if stride > 1:
        height = np.asarray(cv2.resize(height, inside.shape[::-1], interpolation=cv2.INTER_AREA), np.float32)
    return np.asarray(np.maximum(height, _MIN_HEIGHT) * inside, np.float32)


def _fill_pinholes(inside: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return uint8 (h, w), 0 or 1, with enclosed regions below `GAP_PX` filled: specks, not gaps between cells."""
    contours, links = cv2.findContours(inside, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)  # a fifth of the time of labels
    holes = [each for each, link in zip(contours, links[0], strict=True) if link[3] >= 0] if contours else []
    if not holes:
        return inside
    # No hole reaches the edge of the window around all of them, as the contours run through what encloses each.
    x, y, width, height = cv2.boundingRect(np.concatenate(holes))
    window = inside[y : y + height, x : x + width]
    _, regions = cv2.connectedComponents(1 - window, connectivity=4, ltype=cv2.CV_32S)
    small = np.bincount(regions.ravel()) < GAP_PX
    for edge in (regions[0], regions[-1], regions[:, 0], regions[:, -1]):
        small[edge] = False
    filled = inside.copy()
    filled[y : y + height, x : x + width] |= small[regions].view(np.uint8)
    return filled


def _separate_peaks(
    height: NDArray[np.float32], owners: NDArray[np.int32], large: NDArray[np.bool_], stride: int
) -> list[list[Peak]]:
    """Return each component's separate peaks, highest first; none where it is a single cell or too small.

    int (h, w) `owners` gives the component of each pixel, -1 for none; bool (n,) `large` are those that may be cells.
    """
    top = (height >= cv2.dilate(height, peak_window(stride))) & (height > MIN_PEAK_PX)
    # A plateau is one peak, at its middle.
    count, plateaus = cv2.connectedComponents(top.view(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    found: list[list[Peak]] = [[] for _ in large]
    indices = np.flatnonzero(top)
    plateau, width = np.take(plateaus, indices), height.shape[1]
    rows, sizes = indices // width, np.maximum(np.bincount(plateau, minlength=count), 1)
    x, y = (
        np.rint(np.bincount(plateau, weights=each, minlength=count) / sizes).astype(int)[1:]
        for each in (indices - rows * width, rows)
    )
    peaks = zip(height[y, x].tolist(), x.tolist(), y.tolist(), strict=True)
    for component, peak in zip(owners[y, x].tolist(), peaks, strict=True):
        if component >= 0 and large[component]:
            found[component].append(peak)
    separate = [_keep_separate(height, sorted(each, reverse=True)) if len(each) > 1 else [] for each in found]
    return [each if len(each) > 1 else [] for each in separate]


@lru_cache(maxsize=4)
def peak_window(stride: int) -> NDArray[np.uint8]:
    """Return the round window, uint8 (k, k), in which a peak must be the highest."""
    edge = 2 * round((_PEAK_WINDOW_PX / stride - 1) / 2) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (edge, edge)), np.uint8)


def _keep_separate(height: NDArray[np.float32], peaks: list[Peak]) -> list[Peak]:
    """Keep the peaks that a neck separates from every higher one."""
    kept: list[Peak] = []
    for peak in peaks:
        if all(_neck_between(height, peak, other) for other in kept):
            kept.append(peak)
    return kept


def _neck_between(height: NDArray[np.float32], low: Peak, high: Peak) -> bool:
    """Tell whether the straight line between two peaks dips as low as a neck.

    A plain loop, as NumPy is slower for about ten samples; it starts at the middle, where most necks are.
    """
    (top, x, y), (dx, dy) = low, (high[1] - low[1], high[2] - low[2])
    samples = _from_the_middle(max(3, int(math.hypot(dx, dy))))
    return any(height.item(round(y + dy * t), round(x + dx * t)) <= NECK * top for t in samples)


@lru_cache(maxsize=256)
def _from_the_middle(count: int) -> list[float]:
    return sorted(np.linspace(0.0, 1.0, count).tolist(), key=lambda t: abs(t - 0.5))


def _flood_from_peaks(
    height: NDArray[np.float32], owners: NDArray[np.int32], peaks: list[list[Peak]], stride: int
) -> NDArray[np.unsignedinteger]:
    """Return uint8 or uint16 (h, w): each component with peaks grown from them, 1 to n in their order; 0 elsewhere."""
    few = max(map(len, peaks), default=0) <= 255
    labels = np.zeros(height.shape, np.uint8 if few else np.uint16)
    clumps = [component for component, each in enumerate(peaks) if each]
    if not clumps:
        return labels
    highest = np.full(len(peaks) + 1, -1.0)  # the last is the background's, whose owner is -1
    for component in clumps:
        highest[component] = peaks[component][0][0]
        for label, (_, x, y) in enumerate(peaks[component], start=1):
            labels[y, x] = label
    tops = np.take(highest, owners.ravel(), mode="wrap").reshape(height.shape)
    x, y, width, rows = cv2.boundingRect((tops >= 0).view(np.uint8))
    window = slice(y, y + rows), slice(x, x + width)  # most cells touch none
    depth = np.maximum(tops[window] - height[window], 0) / (LEVEL_STEP_PX * stride)
    steps = np.where(tops[window] >= 0, depth.astype(np.uint16), np.uint16(_UINT16_MAX))
    grown = labels[window].copy()
    _flood(steps, grown)
    labels[window] = grown
    return labels


def _flood(steps: NDArray[np.uint16], labels: NDArray[np.unsignedinteger]) -> None:
    """Grow `labels` in place until they meet; a pixel is free from its step in `steps` on, `_UINT16_MAX`: never."""
    for step in range(int(steps[steps < _UINT16_MAX].max()) + 1):
        free = ((steps <= step) & (labels == 0)).astype(labels.dtype)
        while cv2.hasNonZero(free):
            new = cv2.dilate(labels, CROSS) * free
            if not cv2.hasNonZero(new):
                break
            cv2.add(labels, new, labels)
            cv2.subtract(free, new, free)  # saturates at 0: a labelled pixel is no longer free
