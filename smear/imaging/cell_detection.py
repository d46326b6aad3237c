"""From probabilities to leukocytes: mask, touching cells parted, and each cell measured.

Cells are found on the grid that the segmenter answers on, one place for each pixel at model scale or for each `stride`
of them, and measured at model scale.
Training cuts its cells with this file and so does the device, so that a classifier meets what it learnt from.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from smear.findings import Cell, CellMask
from smear.imaging.contours import AROUND, CellContours, log_odds
from smear.imaging.masking import scale_bar_box
from smear.imaging.resampling import ModelFrame, stride_of
from smear.imaging.stain_normalization import fill_holes
from smear.imaging.watershed import MIN_CELL_PX, split_touching_cells

CHAIN_TO_CURVE = math.pi / 8 * (1 + math.sqrt(2))  # a chain of pixels is longer than its smooth curve (Kulpa 1977)
EDGE_WEIGHT = 0.4  # weight of a cell cut by the frame: half of it is not seen
FULL_WEIGHT_PX = 500  # area from which a cell has full weight: larger ones are often two that were not parted


def smallest_contour_area(stride: int) -> float:
    """Return the area within the contour of a round body of about `MIN_CELL_PX`, in places of a grid.

    A contour runs through the middles of places, so that half a place is lost all round.
    """
    radius = (0.5 + math.sqrt(0.25 + (MIN_CELL_PX - 1) / math.pi)) / stride
    return round(math.pi * (radius * radius - radius) + 1, 3)


@dataclass(frozen=True, slots=True, eq=False)
class DetectedCell:
    """One cell at model scale, as the classifier needs it."""

    centre: tuple[float, float]  # x, y in model pixels
    window: tuple[slice, slice]  # rows and columns of its bounding box
    weight: float  # its weight in the field's label, 0 to 1
    cell: Cell  # measured, in the pixels of the frame


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """The cells of one field."""

    cell: np.ndarray  # bool (h, w) at model scale: what belongs to any cell
    labels: np.ndarray  # uint16 (h, w) at model scale, 0 for ground
    bodies: list[DetectedCell]
    boxes: np.ndarray  # int (n, 4) of x, y, width and height at model scale of all labels, measured or not
    borders: CellContours


def find_cells(probabilities: np.ndarray, frame: ModelFrame, pixel_size_um: float | None = None) -> Detection:
    """Find and measure the cells in the segmenter's float (h, w, 3), one place for each `stride_of` pixels."""
    stride = stride_of(probabilities, frame)
    body = fill_holes(probabilities[..., 0] < 0.5, smallest_contour_area(stride))
    names = split_touching_cells(body, log_odds(probabilities[..., 0]), stride)
    on_grid = names > 0
    # Where a sliver was removed from between cells a hole may be left, which the mask shows filled.
    filled = on_grid if np.array_equal(on_grid, body) else fill_holes(on_grid)
    borders = CellContours.of(probabilities, filled, between=stride > 1 or frame.resampled)
    if stride == 1:
        pixels_of_cells, labels = CellPixels.of(names, probabilities[..., 2] >= probabilities[..., 1]), names
    else:
        height, width = frame.pixels.shape[:2]
        pixels_of_cells = _between_places(borders, names, stride).within(height, width)
        labels = np.zeros((height, width), np.uint16)
        labels[pixels_of_cells.rows, pixels_of_cells.columns] = pixels_of_cells.names
    boxes, bodies = _measured(labels, pixels_of_cells, frame, pixel_size_um)
    return Detection(labels > 0, labels, bodies, boxes, borders)


@dataclass(frozen=True, slots=True, eq=False)
class CellPixels:
    """All pixels of cells at model scale."""

    columns: np.ndarray  # int (n,)
    rows: np.ndarray
    names: np.ndarray  # the label of each
    nuclear: np.ndarray  # bool (n,)

    @staticmethod
    def of(labels: np.ndarray, nucleus: np.ndarray) -> "CellPixels":
        """Return those of a label map; `nucleus` is bool (h, w)."""
        rows, columns = np.nonzero(labels)
        return CellPixels(columns, rows, labels[rows, columns], nucleus[rows, columns])

    def within(self, height: int, width: int) -> "CellPixels":
        """Return those that lie in a picture of this size, over which a coarse grid may hang."""
        inside = (self.rows < height) & (self.columns < width)
        if inside.all():
            return self
        return CellPixels(self.columns[inside], self.rows[inside], self.names[inside], self.nuclear[inside])


def _between_places(borders: CellContours, names: np.ndarray, stride: int) -> CellPixels:
    """Return the pixels of cells, each with the label in uint16 `names`, on the grid, that is nearest."""
    own = np.take(names, borders.near)
    own = np.where(own > 0, own, np.take(cv2.dilate(names, AROUND), borders.near))
    inside = np.flatnonzero((borders.finer(stride) < 0) & (own > 0)[:, np.newaxis])
    which, part = np.divmod(inside, stride**2)
    rows, columns = np.divmod(np.take(borders.near, which), names.shape[1])
    down, right = np.divmod(part, stride)
    nuclear = np.take(borders.lean, borders.near) >= 0
    return CellPixels(columns * stride + right, rows * stride + down, np.take(own, which), np.take(nuclear, which))


def measure(labels: np.ndarray, mask: CellMask, frame: ModelFrame, pixel_size_um: float | None) -> list[DetectedCell]:
    """Measure every cell of a label map at model scale; lengths are turned into pixels of the original frame."""
    return _measured(labels, CellPixels.of(labels, mask.nucleus), frame, pixel_size_um)[1]


def _measured(
    labels: np.ndarray, pixels_of_cells: CellPixels, frame: ModelFrame, pixel_size_um: float | None
) -> tuple[np.ndarray, list[DetectedCell]]:
    """Return the boxes of all labels, and the bodies of those that lie in the frame."""
    if not len(pixels_of_cells.names):
        return np.zeros((0, 4), int), []
    known, boxes, areas, sums, nuclei = _sums_by_name(pixels_of_cells)
    corners, ends = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    centres = sums / areas[:, np.newaxis]
    left, top = frame.offset
    right, bottom = left + frame.content[0], top + frame.content[1]
    # What lies in the mirrored border of a small frame is no cell.
    counted = np.flatnonzero(((centres >= (left, top)) & (centres < (right, bottom))).all(axis=1))
    touches = (corners <= (left, top)).any(axis=1) | (ends >= (right, bottom)).any(axis=1)
    if frame.outside is not None:
        beside = cv2.dilate(frame.outside.view(np.uint8), AROUND).view(bool)
        touches |= np.isin(known, labels[beside])
    weights = np.minimum(areas, FULL_WEIGHT_PX) / FULL_WEIGHT_PX * np.where(touches, EDGE_WEIGHT, 1.0)
    columns = (known, boxes, centres, areas, nuclei / areas, touches, weights)
    rows = list(zip(*(each[counted].tolist() for each in columns), strict=True))
    outlines = [_outline(labels, name, box) for name, box, *_ in rows]
    bodies, in_frame = [], frame.to_frame(centres[counted]).tolist()
    for row, place, outline, contour in zip(rows, in_frame, outlines, _in_frame(outlines, frame), strict=True):
        _, (x, y, width, height), centre, area, nc_ratio, cut, weight = row
        cell = _cell(outline, contour, place, float(area), nc_ratio, cut, frame, pixel_size_um)
        bodies.append(DetectedCell(tuple(centre), (slice(y, y + height), slice(x, x + width)), weight, cell))
    return boxes, bodies


def _sums_by_name(pixels_of_cells: CellPixels) -> tuple[np.ndarray, ...]:
    """Return the names that occur, and of each its box, its area, its sums of x and y, and the area of its nucleus."""
    order = np.argsort(pixels_of_cells.names, kind="stable")  # one sort instead of as many scans as there are names
    names = pixels_of_cells.names[order]
    starts = np.flatnonzero(np.diff(names, prepend=np.zeros(1, names.dtype)))
    x, y = pixels_of_cells.columns[order], pixels_of_cells.rows[order]
    ends = np.append(starts[1:], len(names))
    low = np.stack([np.minimum.reduceat(each, starts) for each in (x, y)], axis=1)
    high = np.stack([np.maximum.reduceat(each, starts) for each in (x, y)], axis=1)
    sums = np.stack([np.add.reduceat(each, starts, dtype=np.int64) for each in (x, y)], axis=1)
    nuclei = np.add.reduceat(pixels_of_cells.nuclear[order], starts, dtype=np.int64)
    return names[starts], np.concatenate([low, high - low + 1], axis=1), ends - starts, sums, nuclei


def _outline(labels: np.ndarray, name: int, box: list[int]) -> np.ndarray:
    """Return the outer contour of one label, int32 (n, 2) of x, y."""
    x, y, width, height = box
    body = (labels[y : y + height, x : x + width] == name).view(np.uint8)
    contours, _ = cv2.findContours(body, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=(x, y))
    return np.asarray(contours[0] if len(contours) == 1 else max(contours, key=len))[:, 0]


def clear_of_scale_bar(frame: ModelFrame, bodies: Sequence[DetectedCell]) -> list[int]:
    """Return the indices of the cells a classifier may see, those with the largest weight first.

    A cell where the data set burns its scale bar in is left out.
    """
    box = scale_bar_box(frame)
    clear = [i for i, body in enumerate(bodies) if box is None or not _meets(body, box)]
    return sorted(clear, key=lambda i: (-bodies[i].weight, i))


def _meets(body: DetectedCell, box: tuple[int, int, int, int]) -> bool:
    x, y, width, height = box
    rows, columns = body.window
    return bool(columns.stop > x and columns.start < x + width and rows.stop > y and rows.start < y + height)


def _in_frame(outlines: list[np.ndarray], frame: ModelFrame) -> list[np.ndarray]:
    """Return the outlines in pixels of the frame, int32."""
    if not outlines or frame.is_frame:
        return outlines
    height, width = frame.frame_shape
    points = np.rint(frame.to_frame(np.concatenate(outlines))).astype(np.int32)
    np.clip(points, 0, (width - 1, height - 1), out=points)
    ends = np.cumsum([len(outline) for outline in outlines]).tolist()
    return [points[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _cell(
    outline: np.ndarray,
    contour: np.ndarray,
    centroid: Sequence[float],
    area: float,
    nc_ratio: float,
    touches: bool,
    frame: ModelFrame,
    pixel_size_um: float | None,
) -> Cell:
    x, y, box_width, box_height = cv2.boundingRect(contour)
    area_px = area * math.prod(frame.frame_per_model)
    # the contour runs through pixel centres: half a pixel is added all round before comparing with the area
    round_perimeter = cv2.arcLength(outline, closed=True) * CHAIN_TO_CURVE + math.pi
    return Cell(
        bbox=(int(x), int(y), int(box_width), int(box_height)),
        centroid=(centroid[0], centroid[1]),
        area_px=area_px,
        area_um2=area_px * pixel_size_um**2 if pixel_size_um else None,
        nc_ratio=float(nc_ratio),
        circularity=min(1.0, 4 * math.pi * area / round_perimeter**2),
        contour=contour,
        touches_edge=touches,
    )
