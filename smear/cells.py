"""From probabilities to leukocytes: mask, touching cells parted, and each cell measured. All at model scale.

Training cuts its cells with this file and so does the device, so that a classifier meets what it learnt from.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from smear.field import CYTOPLASM, NUCLEUS, Cell, CellMask
from smear.preprocess import ModelFrame, scale_bar_box
from smear.stain import fill_holes

MIN_CELL_PX = 60  # at model scale, 15 um2: of the drawn cells only slivers at the field's edge are smaller
SMOOTHING_PX = 1.4  # of the distance map, so that a ragged outline makes no peak of its own
NECK = 0.95  # two peaks are two cells when the line between them dips below this share of the lower peak
# with these two values all 328 drawn cells are parted as drawn, from their drawn mask
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_PEAK_WINDOW = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
_MIN_PEAK_PX = 1.5
_LEAST_HEIGHT = 0.01  # of a pixel inside a cell, so that smoothing takes none away
_LEVEL_PX = 0.5  # height of one step of the flood
CHAIN_TO_CURVE = math.pi / 8 * (1 + math.sqrt(2))  # a chain of pixels is longer than its smooth curve (Kulpa 1977)
EDGE_SAY = 0.4  # weight of a cell cut by the frame: half of it is not seen
FULL_SAY_PX = 500  # area from which a cell has full weight: larger ones are often two that were not parted


def mask_of(probabilities: np.ndarray, min_area_px: float = MIN_CELL_PX) -> CellMask:
    """Turn float (h, w, 3) of background, cytoplasm and nucleus into a mask without holes and specks."""
    return mask_from(probabilities[..., 0], probabilities[..., 2] - probabilities[..., 1], min_area_px)


def mask_from(ground: np.ndarray, lean: np.ndarray, min_area_px: float) -> CellMask:
    """Turn two float planes (h, w) into such a mask: how likely it is ground, and nucleus over cytoplasm."""
    cell = fill_holes(ground < 0.5, min_area_px)
    values = (lean >= 0).view(np.uint8)
    values *= NUCLEUS - CYTOPLASM
    values += CYTOPLASM
    values *= cell.view(np.uint8)  # BACKGROUND is 0
    return CellMask(values)


def separate(cell: np.ndarray) -> np.ndarray:
    """Part touching cells of bool (h, w) at their necks; int32 (h, w), 0 for ground and 1 to n for cells.

    A watershed on the distance to the ground, from the peaks that `NECK` keeps apart.
    """
    body = cell.view(np.uint8)
    labels = np.zeros(cell.shape, np.int32)
    columns, rows = _points(body)
    if not len(rows):
        return labels
    count, parts = cv2.connectedComponents(body, connectivity=4, ltype=cv2.CV_32S)
    names = parts[rows, columns]
    large = np.bincount(names, minlength=count) >= MIN_CELL_PX
    height = _heights(body)
    tops = {part: _apart(height, peaks) for part, peaks in _peaks_by_part(height, parts).items() if large[part]}
    several = {}  # by part: its window and the cells in it, where more than one peak stands apart
    boxes = _boxes(names - 1, columns, rows)
    for part, peaks in tops.items():
        if len(peaks) > 1:
            window, (x, y) = _window(boxes[part - 1]), boxes[part - 1, :2]
            seeds = [(peak[1] - x, peak[2] - y) for peak in peaks]
            several[part] = (window, _flooded(height[window], parts[window] == part, seeds))
    cells = large.astype(np.int64)  # in each part; the ground is none
    cells[0] = 0
    for part, (_, bodies) in several.items():
        cells[part] = len(bodies)
    last = np.cumsum(cells)
    whole = np.where(cells > 0, last, 0)
    whole[list(several)] = 0
    labels[rows, columns] = whole[names]
    for part, (window, bodies) in several.items():
        for number, each in enumerate(bodies, start=last[part] - len(bodies) + 1):
            labels[window][each] = number
    return labels


def _window(box: np.ndarray) -> tuple[slice, slice]:
    """Return the rows and columns of a box of x, y, width, height."""
    x, y, width, height = box.tolist()
    return slice(y, y + height), slice(x, x + width)


def _points(body: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y of every pixel of uint8 (h, w) that is not 0, row by row: five times as fast as NumPy."""
    if not cv2.hasNonZero(body):
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    x, y = cv2.findNonZero(body).reshape(-1, 2).T
    return x, y


def _heights(body: np.ndarray) -> np.ndarray:
    """Return the smoothed distance to the ground, float32 (h, w), above 0 inside and 0 outside."""
    height = cv2.GaussianBlur(cv2.distanceTransform(body, cv2.DIST_L2, 5), (0, 0), SMOOTHING_PX)
    np.maximum(height, np.float32(_LEAST_HEIGHT), out=height)
    np.multiply(height, body, out=height)
    return np.asarray(height)


def _flooded(height: np.ndarray, inside: np.ndarray, seeds: list[tuple[int, int]]) -> list[np.ndarray]:
    """Return the bodies, bool (h, w), that grow from `seeds` in the bool window `inside` of a part, but no slivers."""
    flooded = _flood(np.where(inside, height, np.float32(0)), seeds)
    bodies = [flooded == name for name in range(1, len(seeds) + 1)]
    return [body for body in bodies if np.count_nonzero(body) >= MIN_CELL_PX]


def _peaks_by_part(height: np.ndarray, parts: np.ndarray) -> dict[int, list[tuple[float, int, int]]]:
    """Return height, x, y of every local maximum, highest first, by the name of the part it is in."""
    top = ((height >= cv2.dilate(height, _PEAK_WINDOW)) & (height > _MIN_PEAK_PX)).view(np.uint8)
    columns, rows = _points(top)
    found: dict[int, list[tuple[float, int, int]]] = {}
    if not len(rows):
        return found
    # A plateau is one peak: its middle.
    _, plateaus = cv2.connectedComponents(top, connectivity=8, ltype=cv2.CV_32S)
    names = plateaus[rows, columns]
    sizes = np.bincount(names)[1:]
    x, y = (np.rint(np.bincount(names, weights=each)[1:] / sizes).astype(int) for each in (columns, rows))
    for part, peak in zip(
        parts[y, x].tolist(), zip(height[y, x].tolist(), x.tolist(), y.tolist(), strict=True), strict=True
    ):
        found.setdefault(part, []).append(peak)
    for peaks in found.values():
        peaks.sort(reverse=True)
    return found


def _apart(height: np.ndarray, peaks: list[tuple[float, int, int]]) -> list[tuple[float, int, int]]:
    """Keep the peaks that a neck parts from every higher one."""
    kept: list[tuple[float, int, int]] = []
    for peak in peaks:
        if all(_neck(height, peak, other) <= NECK * peak[0] for other in kept):
            kept.append(peak)
    return kept


def _neck(height: np.ndarray, a: tuple[float, int, int], b: tuple[float, int, int]) -> float:
    """Return the lowest height on the straight line between two peaks."""
    steps = max(3, int(math.hypot(a[1] - b[1], a[2] - b[2])))
    along = np.linspace(0.0, 1.0, steps)
    x, y = np.rint(a[1] + (b[1] - a[1]) * along).astype(int), np.rint(a[2] + (b[2] - a[2]) * along).astype(int)
    return float(height[y, x].min())


def _flood(height: np.ndarray, seeds: list[tuple[int, int]]) -> np.ndarray:
    """Grow `seeds` (x, y) down the float map `height` level by level until they meet; uint16, 0 where height is 0."""
    labels = np.zeros(height.shape, np.uint16)
    for name, (x, y) in enumerate(seeds, start=1):
        labels[y, x] = name
    for level in np.arange(float(height.max()) - _LEVEL_PX, -_LEVEL_PX, -_LEVEL_PX):
        free = ((height > max(level, 0.0)) & (labels == 0)).astype(np.uint16)
        while True:
            new = cv2.multiply(cv2.dilate(labels, _CROSS), free)
            if not cv2.countNonZero(new):
                break
            cv2.add(labels, new, labels)
            cv2.subtract(free, new, free)  # saturates: what is taken is free no longer
    return labels


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """One cell at model scale, as the classifier needs it."""

    centre: tuple[float, float]  # x, y in model pixels
    window: tuple[slice, slice]  # rows and columns of its bounding box
    say: float  # its weight in the field's label, 0 to 1
    cell: Cell  # measured, in the pixels of the frame


def measure(labels: np.ndarray, mask: CellMask, frame: ModelFrame, pixel_size_um: float | None) -> list[Body]:
    """Measure every cell of the label map; lengths are turned into pixels of the original frame."""
    columns, rows = _points((labels > 0).view(np.uint8))
    if not len(rows):
        return []
    names = labels[rows, columns] - 1
    boxes = _boxes(names, columns, rows)
    areas = np.bincount(names)
    nuclei = np.bincount(names, weights=mask.values[rows, columns] == NUCLEUS)
    corners, sizes = boxes[:, :2], boxes[:, 2:]
    sums = np.stack([np.bincount(names, weights=each) for each in (columns, rows)], axis=1)
    areas_2d = areas[:, np.newaxis]
    centres = corners + (sums - areas_2d * corners) / areas_2d
    left, top = frame.offset
    right, bottom = left + frame.content[0], top + frame.content[1]
    # What lies in the mirrored border of a small frame is no cell.
    counted = np.flatnonzero(((centres >= (left, top)) & (centres < (right, bottom))).all(axis=1))
    touches = (corners <= (left, top)).any(axis=1) | (corners + sizes >= (right, bottom)).any(axis=1)
    says = np.minimum(areas, FULL_SAY_PX) / FULL_SAY_PX * np.where(touches, EDGE_SAY, 1.0)
    outlines = [_outline(labels, name + 1, boxes[name]) for name in counted.tolist()]
    contours = _in_frame(outlines, frame)
    bodies = []
    for name, outline, contour in zip(counted.tolist(), outlines, contours, strict=True):
        centre = (float(centres[name, 0]), float(centres[name, 1]))
        area = float(areas[name])
        cell = _cell(outline, contour, centre, area, nuclei[name] / area, bool(touches[name]), frame, pixel_size_um)
        bodies.append(Body(centre, _window(boxes[name]), float(says[name]), cell))
    return bodies


def _outline(labels: np.ndarray, name: int, box: np.ndarray) -> np.ndarray:
    """Return the outer contour of one label, int32 (n, 2) of x, y."""
    body = (labels[_window(box)] == name).view(np.uint8)
    contours, _ = cv2.findContours(body, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=box[:2].tolist())
    return np.asarray(max(contours, key=len)[:, 0])


def clear_of_scale_bar(frame: ModelFrame, bodies: Sequence[Body]) -> list[int]:
    """Return the indices of the cells a classifier may see, those with the most say first.

    A cell where the data set burns its scale bar in is left out, unless there is no other.
    """
    box = scale_bar_box(frame)
    clear = [i for i, body in enumerate(bodies) if box is None or not _meets(body, box)]
    return sorted(clear or range(len(bodies)), key=lambda i: (-bodies[i].say, i))


def _meets(body: Body, box: tuple[int, int, int, int]) -> bool:
    x, y, width, height = box
    rows, columns = body.window
    return bool(columns.stop > x and columns.start < x + width and rows.stop > y and rows.start < y + height)


def _boxes(names: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return int (n, 4) of x, y, width, height for pixels named 0 to n - 1, by one sort instead of n scans."""
    order = np.argsort(names.astype(np.uint16) if names.max() < 2**16 else names, kind="stable")
    starts = np.flatnonzero(np.diff(names[order], prepend=-1))
    x, y = columns[order], rows[order]
    first = np.stack([np.minimum.reduceat(each, starts) for each in (x, y)], axis=1)
    last = np.stack([np.maximum.reduceat(each, starts) for each in (x, y)], axis=1)
    return np.concatenate([first, last - first + 1], axis=1)


def _in_frame(outlines: list[np.ndarray], frame: ModelFrame) -> list[np.ndarray]:
    """Return the outlines in pixels of the frame, int32."""
    if not outlines:
        return []
    height, width = frame.frame_shape
    # + 0.5 and - 0.5: centres of pixels, not their corners, are what scales
    points = np.rint((np.concatenate(outlines) - np.array(frame.offset) + 0.5) / frame.scale - 0.5).astype(np.int32)
    np.clip(points, 0, (width - 1, height - 1), out=points)
    return np.split(points, np.cumsum([len(outline) for outline in outlines])[:-1])


def _cell(
    outline: np.ndarray,
    contour: np.ndarray,
    centre: tuple[float, float],
    area: float,
    nc_ratio: float,
    touches: bool,
    frame: ModelFrame,
    pixel_size_um: float | None,
) -> Cell:
    x, y, box_width, box_height = cv2.boundingRect(contour)
    area_px = area / frame.scale**2
    # the contour runs through pixel centres: half a pixel is added all round before comparing with the area
    round_perimeter = cv2.arcLength(outline, closed=True) * CHAIN_TO_CURVE + math.pi
    return Cell(
        bbox=(int(x), int(y), int(box_width), int(box_height)),
        centroid=(
            (centre[0] - frame.offset[0] + 0.5) / frame.scale - 0.5,
            (centre[1] - frame.offset[1] + 0.5) / frame.scale - 0.5,
        ),
        area_px=area_px,
        area_um2=area_px * pixel_size_um**2 if pixel_size_um else None,
        nc_ratio=float(nc_ratio),
        circularity=min(1.0, 4 * math.pi * area / round_perimeter**2),
        contour=contour,
        touches_edge=touches,
    )
