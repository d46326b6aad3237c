"""From probabilities to leukocytes: mask, touching cells parted, and each cell measured. All at model scale.

Training cuts its cells with this file and so does the device, so that a classifier meets what it learnt from.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from smear.field import BACKGROUND, CYTOPLASM, NUCLEUS, Cell, CellMask
from smear.preprocess import ModelFrame, scale_bar_box
from smear.stain import fill_holes

MIN_CELL_PX = 60  # at model scale, 15 um2: of the drawn cells only slivers at the field's edge are smaller
SMOOTHING_PX = 1.4  # of the distance map, so that a ragged outline makes no peak of its own
NECK = 0.95  # two peaks are two cells when the line between them dips below this share of the lower peak
# with these two values all 328 drawn cells are parted as drawn, from their drawn mask
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_PEAK_WINDOW = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
_MIN_PEAK_PX = 1.5
_LEVEL_PX = 0.5  # height of one step of the flood
CHAIN_TO_CURVE = math.pi / 8 * (1 + math.sqrt(2))  # a chain of pixels is longer than its smooth curve (Kulpa 1977)
EDGE_SAY = 0.4  # weight of a cell cut by the frame: half of it is not seen
FULL_SAY_PX = 500  # area from which a cell has full weight: larger ones are often two that were not parted


def mask_of(probabilities: np.ndarray, min_area_px: float = MIN_CELL_PX) -> CellMask:
    """Turn float (h, w, 3) of background, cytoplasm and nucleus into a mask without holes and specks."""
    cell = fill_holes(probabilities[..., 0] < 0.5, min_area_px)
    values = np.full(cell.shape, BACKGROUND, np.uint8)
    values[cell] = CYTOPLASM
    values[cell & (probabilities[..., 2] >= probabilities[..., 1])] = NUCLEUS
    return CellMask(values)


def separate(cell: np.ndarray) -> np.ndarray:
    """Part touching cells of bool (h, w) at their necks; int32 (h, w), 0 for ground and 1 to n for cells.

    A watershed on the distance to the ground, from the peaks that `NECK` keeps apart.
    """
    count, parts, boxes, _ = cv2.connectedComponentsWithStats(cell.astype(np.uint8), connectivity=4)
    distance = cv2.distanceTransform(cell.astype(np.uint8), cv2.DIST_L2, 5)
    height = np.where(cell, np.maximum(cv2.GaussianBlur(distance, (0, 0), SMOOTHING_PX), 0.01), 0).astype(np.float32)
    peaks = _peaks_by_part(height, parts, count)
    labels = np.zeros(cell.shape, np.int32)
    found = 0
    for part in range(1, count):
        x, y, width, height_px, area = boxes[part]
        if area < MIN_CELL_PX:
            continue
        window = np.s_[y : y + height_px, x : x + width]
        inside = parts[window] == part
        tops = _apart(height, peaks[part])
        if len(tops) < 2:
            found += 1
            labels[window][inside] = found
            continue
        flooded = _flood(np.where(inside, height[window], 0), [(px - x, py - y) for _, px, py in tops])
        for name in range(1, len(tops) + 1):
            body = flooded == name
            if np.count_nonzero(body) >= MIN_CELL_PX:
                found += 1
                labels[window][body] = found
    return labels


def _peaks_by_part(height: np.ndarray, parts: np.ndarray, count: int) -> list[list[tuple[float, int, int]]]:
    """Return height, x, y of every local maximum, highest first, by connected part."""
    top = (height >= cv2.dilate(height, _PEAK_WINDOW)) & (height > _MIN_PEAK_PX)
    _, _, _, centres = cv2.connectedComponentsWithStats(top.astype(np.uint8), connectivity=8)
    found: list[list[tuple[float, int, int]]] = [[] for _ in range(count)]
    for x, y in np.rint(centres[1:]).astype(int):
        found[parts[y, x]].append((float(height[y, x]), int(x), int(y)))
    for peaks in found:
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
        zone = height > max(level, 0.0)
        while True:
            grown = cv2.dilate(labels, _CROSS)
            new = zone & (labels == 0) & (grown > 0)
            if not new.any():
                break
            labels[new] = grown[new]
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
    left, top = frame.offset
    right, bottom = left + frame.content[0], top + frame.content[1]
    bodies = []
    for name, box in enumerate(_boxes(labels), start=1):
        x, y, width, height = box
        window = (slice(y, y + height), slice(x, x + width))
        body = labels[window] == name
        contours, _ = cv2.findContours(body.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        outline = max(contours, key=len)[:, 0] + (x, y)
        moments = cv2.moments(body.astype(np.uint8), binaryImage=True)
        centre = (x + moments["m10"] / moments["m00"], y + moments["m01"] / moments["m00"])
        if not (left <= centre[0] < right and top <= centre[1] < bottom):
            continue  # it lies in the mirrored border of a small frame
        area = float(moments["m00"])
        touches = x <= left or y <= top or x + width >= right or y + height >= bottom
        nucleus = np.count_nonzero(body & (mask.values[window] == NUCLEUS))
        cell = _in_frame(outline, centre, area, nucleus / area, touches, frame, pixel_size_um)
        say = min(area, FULL_SAY_PX) / FULL_SAY_PX * (EDGE_SAY if touches else 1.0)
        bodies.append(Body(centre, window, say, cell))
    return bodies


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


def _boxes(labels: np.ndarray) -> list[tuple[int, int, int, int]]:
    """Return x, y, width, height of labels 1 to n, by one sort instead of n scans."""
    rows, columns = np.nonzero(labels)
    names = labels[rows, columns]
    order = np.argsort(names, kind="stable")
    starts = np.flatnonzero(np.diff(names[order], prepend=0))
    if not len(starts):
        return []
    x0, x1 = (f.reduceat(columns[order], starts) for f in (np.minimum, np.maximum))
    y0, y1 = (f.reduceat(rows[order], starts) for f in (np.minimum, np.maximum))
    return [(int(a), int(b), int(c - a + 1), int(d - b + 1)) for a, b, c, d in zip(x0, y0, x1, y1, strict=True)]


def _in_frame(
    outline: np.ndarray,
    centre: tuple[float, float],
    area: float,
    nc_ratio: float,
    touches: bool,
    frame: ModelFrame,
    pixel_size_um: float | None,
) -> Cell:
    height, width = frame.frame_shape
    offset = np.array(frame.offset)
    # + 0.5 and - 0.5: centres of pixels, not their corners, are what scales
    contour = np.rint((outline - offset + 0.5) / frame.scale - 0.5).astype(np.int32)
    contour = np.clip(contour, 0, (width - 1, height - 1))
    x, y, box_width, box_height = cv2.boundingRect(contour)
    area_px = area / frame.scale**2
    perimeter = cv2.arcLength(outline.reshape(-1, 1, 2).astype(np.float32), closed=True)
    # the contour runs through pixel centres: half a pixel is added all round before comparing with the area
    round_perimeter = perimeter * CHAIN_TO_CURVE + math.pi
    return Cell(
        bbox=(int(x), int(y), int(box_width), int(box_height)),
        centroid=tuple((np.array(centre) - offset + 0.5) / frame.scale - 0.5),
        area_px=area_px,
        area_um2=area_px * pixel_size_um**2 if pixel_size_um else None,
        nc_ratio=nc_ratio,
        circularity=min(1.0, 4 * math.pi * area / round_perimeter**2),
        contour=contour,
        touches_edge=touches,
    )
