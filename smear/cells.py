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

from smear.field import BACKGROUND, CYTOPLASM, NUCLEUS, Cell, CellMask
from smear.parting import MIN_CELL_PX, boxes_of, points_of, separate, window_of
from smear.preprocess import ModelFrame, scale_bar_box, stride_of
from smear.stain import fill_holes

CHAIN_TO_CURVE = math.pi / 8 * (1 + math.sqrt(2))  # a chain of pixels is longer than its smooth curve (Kulpa 1977)
EDGE_SAY = 0.4  # weight of a cell cut by the frame: half of it is not seen
SUREST = 9.0  # log-odds beyond which one place is no surer than another: 0.9999
LEAST = 1e-9  # sum of probabilities that is still divided by
FULL_SAY_PX = 500  # area from which a cell has full weight: larger ones are often two that were not parted


def mask_of(probabilities: np.ndarray, min_area_px: float = MIN_CELL_PX) -> CellMask:
    """Turn float (h, w, 3) of background, cytoplasm and nucleus into a mask without holes and specks."""
    return mask_from(*planes_of(probabilities), min_area_px)


def planes_of(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the two planes (h, w) that say it all: how likely it is ground, and log-odds of nucleus to cytoplasm."""
    ground, cytoplasm, nucleus = (probabilities[..., channel] for channel in range(3))
    return ground, log_odds(nucleus / np.maximum(nucleus + cytoplasm, LEAST))


def mask_from(ground: np.ndarray, lean: np.ndarray, min_area_px: float, border: float = 0.5) -> CellMask:
    """Turn such planes into a mask without holes and specks; below `border` no place is ground."""
    cell = fill_holes(ground < border, min_area_px)
    values = (lean >= 0).view(np.uint8)
    values *= NUCLEUS - CYTOPLASM
    values += CYTOPLASM
    values *= cell.view(np.uint8)  # BACKGROUND is 0
    return CellMask(values)


def least_contour(stride: int) -> float:
    """Return the area within the contour of a round body of about `MIN_CELL_PX`, in places of a grid.

    A contour runs through the middles of places, so that half a place is lost all round.
    """
    radius = (0.5 + math.sqrt(0.25 + (MIN_CELL_PX - 1) / math.pi)) / stride
    return round(math.pi * (radius * radius - radius) + 1, 3)


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """One cell at model scale, as the classifier needs it."""

    centre: tuple[float, float]  # x, y in model pixels
    window: tuple[slice, slice]  # rows and columns of its bounding box
    say: float  # its weight in the field's label, 0 to 1
    cell: Cell  # measured, in the pixels of the frame


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The cells of one field."""

    labels: np.ndarray  # int32 (h, w) at model scale, 0 for ground
    bodies: list[Body]
    on_grid: np.ndarray  # bool (h, w): the places of the segmenter's grid that belong to a cell


def find_cells(ground: np.ndarray, lean: np.ndarray, frame: ModelFrame, pixel_size_um: float | None = None) -> Found:
    """Find and measure the cells in the segmenter's two planes, see `planes_of`."""
    stride = stride_of(ground, frame)
    mask = mask_from(ground, lean, least_contour(stride))
    labels = separate(mask.cell, stride)
    cell = labels > 0
    if stride > 1:
        labels, mask = _at_model_scale(labels, ground, lean, frame)
    return Found(labels, measure(labels, mask, frame, pixel_size_um), cell)


def _at_model_scale(
    labels: np.ndarray, ground: np.ndarray, lean: np.ndarray, frame: ModelFrame
) -> tuple[np.ndarray, CellMask]:
    """Return labels and mask at model scale from those on the grid: a border between two places runs smoothly."""
    stride, (height, width) = stride_of(labels, frame), frame.pixels.shape[:2]
    cell = labels > 0
    names = labels.astype(np.uint16)
    near = cv2.dilate(names, np.ones((3, 3), np.uint8))
    near = np.where(cell, names, near)
    kept = log_odds(kept_ground(ground, cell, (near > 0).view(np.uint8)))
    fine, leaning = (_enlarged(plane, stride, cv2.INTER_LINEAR)[:height, :width] for plane in (kept, lean))
    grown = _enlarged(near, stride, cv2.INTER_NEAREST)[:height, :width]
    found = np.where(fine < 0, grown, 0).astype(np.int32)
    return found, CellMask(np.where(found > 0, np.where(leaning >= 0, NUCLEUS, CYTOPLASM), BACKGROUND).astype(np.uint8))


def _enlarged(plane: np.ndarray, stride: int, how: int) -> np.ndarray:
    return np.asarray(cv2.resize(plane, None, fx=stride, fy=stride, interpolation=how))


def log_odds(probability: np.ndarray) -> np.ndarray:
    """Return the log-odds of probabilities, float32 of any shape, between -`SUREST` and `SUREST`.

    A border between two places of a grid is drawn where they are 0, as the segmenter was taught: its loss
    interpolates logits. Interpolated probabilities would put it half-way between two sure places, wherever it runs.
    """
    least = 1.0 / (1.0 + math.exp(SUREST))
    p = np.clip(probability, least, 1.0 - least)
    return np.asarray(cv2.log(p / (1.0 - p)).reshape(p.shape))


def kept_ground(ground: np.ndarray, cell: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Return how likely it is ground with what was removed from bool `cell` (specks, slivers) out, and holes in.

    Beyond uint8 `near`, which is not 0 in the cells and as far around them as their borders may lie, all is ground.
    """
    kept = np.asarray(cv2.copyTo(ground, near, np.ones(ground.shape, np.float32)))
    kept[cell & (kept >= 0.5)] = 0.0
    return kept


def measure(labels: np.ndarray, mask: CellMask, frame: ModelFrame, pixel_size_um: float | None) -> list[Body]:
    """Measure every cell of the label map; lengths are turned into pixels of the original frame."""
    columns, rows = points_of((labels > 0).view(np.uint8))
    if not len(rows):
        return []
    known, names = _numbered(labels[rows, columns])
    boxes = boxes_of(names, columns, rows)
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
    outlines = [_outline(labels, known[name], boxes[name]) for name in counted.tolist()]
    contours = _in_frame(outlines, frame)
    bodies = []
    for name, outline, contour in zip(counted.tolist(), outlines, contours, strict=True):
        centre = (float(centres[name, 0]), float(centres[name, 1]))
        area = float(areas[name])
        cell = _cell(outline, contour, centre, area, nuclei[name] / area, bool(touches[name]), frame, pixel_size_um)
        bodies.append(Body(centre, window_of(boxes[name]), float(says[name]), cell))
    return bodies


def _numbered(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels that occur, and for each of (n,) `labels` its place among them."""
    occurs = np.bincount(labels) > 0
    return np.flatnonzero(occurs), (np.cumsum(occurs) - 1)[labels]


def _outline(labels: np.ndarray, name: int, box: np.ndarray) -> np.ndarray:
    """Return the outer contour of one label, int32 (n, 2) of x, y."""
    body = (labels[window_of(box)] == name).view(np.uint8)
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
