"""From the segmenter's probabilities to leukocytes: touching cells split, each cell measured.

Cells are found on the segmenter's grid, one point per `stride` pixels each way, and measured at model scale.
Training cuts out its cells with this module and so does the device, so the classifier sees the same input in both.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from smear.findings import Cell
from smear.imaging.contours import NEIGHBOURS, CellContours, log_odds
from smear.imaging.masking import scale_bar_box
from smear.imaging.resampling import ModelFrame, stride_of
from smear.imaging.stain_normalization import fill_holes
from smear.imaging.watershed import MIN_CELL_PX, split_touching_cells

CHAIN_TO_CURVE = math.pi / 8 * (1 + math.sqrt(2))  # a chain of pixels is longer than its smooth curve (Kulpa 1977)
EDGE_WEIGHT = 0.4  # weight of a cell cut by the frame's edge, about half of which is not seen
FULL_WEIGHT_PX = 500  # area from which a cell has full weight: larger ones are often two that were not split


def smallest_contour_area(stride: int) -> float:
    """Return the area within the contour of a round cell of about `MIN_CELL_PX`, in grid points.

    A contour runs through the centres of grid points, so half a point is lost all round.
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

    cell: NDArray[np.bool_]  # (h, w) at model scale: pixels of any cell
    labels: NDArray[np.uint16]  # (h, w) at model scale: 0 for background, 1 to n for cells
    cells: list[DetectedCell]
    boxes: NDArray[np.intp]  # (n, 4) of x, y, width and height at model scale of all labels, measured or not
    contours: CellContours

    def pixels_of(self, cell: DetectedCell) -> NDArray[np.bool_]:
        """Return which pixels of the cell's `window` are its own, bool: those of the label that has most of it."""
        inside = self.labels[cell.window]
        return np.asarray(inside == np.bincount(inside[inside > 0]).argmax())


def find_cells(probabilities: NDArray[np.float32], frame: ModelFrame, pixel_size_um: float | None = None) -> Detection:
    """Find and measure the cells in the segmenter's answer.

    `probabilities` is float (h, w, 3) of background, cytoplasm and nucleus, one point per `stride_of` pixels each way.
    """
    stride = stride_of(probabilities, frame)
    filled = fill_holes(probabilities[..., 0] < 0.5, smallest_contour_area(stride))
    grid_labels = split_touching_cells(filled, log_odds(probabilities[..., 0]), stride)
    cell = grid_labels > 0
    # A sliver removed between cells may leave a hole, which the mask shows filled.
    outlined = cell if np.array_equal(cell, filled) else fill_holes(cell)
    contours = CellContours.of(probabilities, outlined, between=stride > 1 or frame.resampled)
    if stride == 1:
        labels = grid_labels
        pixels = CellPixels.of(labels, probabilities[..., 2] >= probabilities[..., 1])
    else:
        height, width = frame.pixels.shape[:2]
        pixels = _refine(contours, grid_labels, stride).within(height, width)
        labels = np.zeros((height, width), np.uint16)
        labels.reshape(-1)[pixels.rows * width + pixels.columns] = pixels.labels
    boxes, cells = measure(labels, pixels, frame, pixel_size_um)
    return Detection(labels > 0, labels, cells, boxes, contours)


def without_cells(
    probabilities: NDArray[np.float32], found: Detection, taken: Sequence[DetectedCell]
) -> NDArray[np.float32]:
    """Return the segmenter's answer, float32 (h, w, 3), with background where the cells `taken` of `found` lie."""
    height, width = probabilities.shape[:2]
    cleared = np.zeros(found.labels.shape, np.uint8)
    for each in taken:
        cleared[each.window][found.pixels_of(each)] = 1
    left = np.asarray(found.cell & (cleared == 0)).view(np.uint8)
    # A grid point goes with any pixel of its own that is cleared, unless a cell that stays has a part in it.
    coarse = (cv2.resize(each, (width, height), interpolation=cv2.INTER_AREA) for each in (cleared * 255, left * 255))
    gone, stays = (np.asarray(each) > 0 for each in coarse)
    return np.where((gone & ~stays)[..., np.newaxis], np.array([1, 0, 0], np.float32), probabilities)


@dataclass(frozen=True, slots=True, eq=False)
class CellPixels:
    """All pixels of cells at model scale, cell by cell."""

    columns: NDArray[np.intp]  # (n,)
    rows: NDArray[np.intp]  # (n,)
    labels: NDArray[np.uint16]  # (n,): the label of each pixel, in ascending order
    nucleus: NDArray[np.bool_]  # (n,)

    @staticmethod
    def of(labels: NDArray[np.uint16], nucleus: NDArray[np.bool_]) -> "CellPixels":
        """Return those of a label map (h, w); `nucleus` is bool (h, w)."""
        at = np.flatnonzero(labels)
        at = at[np.argsort(np.take(labels, at), kind="stable")]  # one sort instead of one scan per label
        rows, columns = np.divmod(at, labels.shape[1])
        return CellPixels(columns, rows, np.take(labels, at), np.take(nucleus, at))

    def within(self, height: int, width: int) -> "CellPixels":
        """Return those inside a picture of this size, beyond which a coarse grid may extend."""
        inside = (self.rows < height) & (self.columns < width)
        if inside.all():
            return self
        return CellPixels(self.columns[inside], self.rows[inside], self.labels[inside], self.nucleus[inside])


def _refine(contours: CellContours, grid_labels: NDArray[np.uint16], stride: int) -> CellPixels:
    """Return the pixels of cells at model scale, each with the nearest label on the grid."""
    near = contours.near_cells
    nearest = np.take(grid_labels, near)
    neighbouring = np.asarray(cv2.dilate(grid_labels, NEIGHBOURS), np.uint16)
    nearest = np.where(nearest > 0, nearest, np.take(neighbouring, near))
    order = np.argsort(nearest, kind="stable")[np.count_nonzero(nearest == 0) :]
    near, nearest = near[order], nearest[order]
    inside = np.flatnonzero(contours.finer(near, stride) < 0)
    point, pixel = np.divmod(inside, stride**2)
    rows, columns = np.divmod(near, grid_labels.shape[1])
    y, x = np.divmod(pixel, stride)
    nucleus = np.take(contours.nucleus, near) >= 0
    columns, rows = np.take(columns * stride, point) + x, np.take(rows * stride, point) + y
    return CellPixels(columns, rows, np.take(nearest, point), np.take(nucleus, point))


def measure(
    labels: NDArray[np.uint16], pixels: CellPixels, frame: ModelFrame, pixel_size_um: float | None
) -> tuple[NDArray[np.intp], list[DetectedCell]]:
    """Return the boxes of all labels at model scale, and the cells that lie in the frame, measured in its pixels."""
    if not len(pixels.labels):
        return np.zeros((0, 4), int), []
    present, boxes, areas, sums, nucleus_areas = _sums_by_label(pixels)
    corners, ends = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    centres = sums / areas[:, np.newaxis]
    left, top = frame.offset
    right, bottom = left + frame.content[0], top + frame.content[1]
    # What lies in the mirrored border of a small frame is no cell.
    in_content = np.flatnonzero(((centres >= (left, top)) & (centres < (right, bottom))).all(axis=1))
    cut = (corners <= (left, top)).any(axis=1) | (ends >= (right, bottom)).any(axis=1)
    if frame.outside is not None:
        beside_rim = cv2.dilate(frame.outside.view(np.uint8), NEIGHBOURS).view(bool)
        cut |= np.isin(present, labels[beside_rim])
    weights = np.minimum(areas, FULL_WEIGHT_PX) / FULL_WEIGHT_PX * np.where(cut, EDGE_WEIGHT, 1.0)
    columns = (present, boxes, centres, areas, nucleus_areas / areas, cut, weights)
    rows = list(zip(*(each[in_content].tolist() for each in columns), strict=True))
    outlines = [_outline(labels, label, box) for label, box, *_ in rows]
    cells, centroids = [], frame.to_frame(centres[in_content]).tolist()
    for row, centroid, outline, contour in zip(rows, centroids, outlines, _in_frame(outlines, frame), strict=True):
        _, (x, y, width, height), centre, area, nc_ratio, touches_edge, weight = row
        cell = _cell(outline, contour, centroid, float(area), nc_ratio, touches_edge, frame, pixel_size_um)
        cells.append(DetectedCell(tuple(centre), (slice(y, y + height), slice(x, x + width)), weight, cell))
    return boxes, cells


def _sums_by_label(pixels: CellPixels) -> tuple[NDArray[Any], ...]:
    """Return the labels present, and of each its box, area, sums of x and y, and nucleus area."""
    ends = np.append(np.flatnonzero(pixels.labels[1:] != pixels.labels[:-1]) + 1, len(pixels.labels))
    starts = np.append(0, ends[:-1])
    places = np.stack([pixels.columns, pixels.rows])
    low, high, sums = (each.reduceat(places, starts, axis=1) for each in (np.minimum, np.maximum, np.add))
    nucleus_areas = np.add.reduceat(pixels.nucleus, starts, dtype=np.int64)
    return pixels.labels[starts], np.concatenate([low, high - low + 1]).T, ends - starts, sums.T, nucleus_areas


def _outline(labels: NDArray[np.uint16], label: int, box: list[int]) -> NDArray[np.int32]:
    """Return the outer contour of one label, int32 (n, 2) of x, y."""
    x, y, width, height = box
    inside = (labels[y : y + height, x : x + width] == label).view(np.uint8)
    contours, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=(x, y))
    return np.asarray(contours[0] if len(contours) == 1 else max(contours, key=len), np.int32)[:, 0]


def clear_of_scale_bar(frame: ModelFrame, cells: Sequence[DetectedCell]) -> list[int]:
    """Return the indices of the cells a classifier may see, those with the largest weight first.

    Cells where the data set burns in its scale bar are left out.
    """
    box = scale_bar_box(frame)
    clear = [i for i, detected in enumerate(cells) if box is None or not _overlaps(detected, box)]
    return sorted(clear, key=lambda i: (-cells[i].weight, i))


def _overlaps(detected: DetectedCell, box: tuple[int, int, int, int]) -> bool:
    x, y, width, height = box
    rows, columns = detected.window
    return bool(columns.stop > x and columns.start < x + width and rows.stop > y and rows.start < y + height)


def _in_frame(outlines: list[NDArray[np.int32]], frame: ModelFrame) -> list[NDArray[np.int32]]:
    """Return the outlines in pixels of the frame, int32."""
    if not outlines or frame.is_frame:
        return outlines
    height, width = frame.frame_shape
    points = np.rint(frame.to_frame(np.concatenate(outlines))).astype(np.int32)
    np.clip(points, 0, (width - 1, height - 1), out=points)
    ends = np.cumsum([len(outline) for outline in outlines]).tolist()
    return [points[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _cell(
    outline: NDArray[np.int32],
    contour: NDArray[np.int32],
    centroid: Sequence[float],
    area: float,
    nc_ratio: float,
    touches_edge: bool,
    frame: ModelFrame,
    pixel_size_um: float | None,
) -> Cell:
    """Return one cell from its `outline` and `area` at model scale and its `contour` and `centroid` in the frame."""
    x, y, box_width, box_height = cv2.boundingRect(contour)
    area_px = area * math.prod(frame.frame_per_model)
    # The outline runs through pixel centres: half a pixel is added all round before comparing with the area.
    perimeter = cv2.arcLength(outline, closed=True) * CHAIN_TO_CURVE + math.pi
    return Cell(
        bbox=(int(x), int(y), int(box_width), int(box_height)),
        centroid=(centroid[0], centroid[1]),
        area_px=area_px,
        area_um2=area_px * pixel_size_um**2 if pixel_size_um else None,
        nc_ratio=float(nc_ratio),
        circularity=min(1.0, 4 * math.pi * area / perimeter**2),
        contour=contour,
        touches_edge=touches_edge,
    )
