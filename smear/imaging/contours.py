"""Cell contours finer than the segmenter's grid: at model scale, and in the frame's own pixels."""

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from smear.findings import CYTOPLASM, NUCLEUS, CellMask
from smear.imaging.resampling import ModelFrame, grid_positions, stride_of, to_frame_scale

MAX_LOG_ODDS = 9.0  # log-odds are clipped here, at a probability of 0.9999: beyond it one is as certain as another
MIN_SUM = 1e-9  # smallest sum of probabilities to divide by
WINDOW_COST_PX = 6000  # of the frame: cutting out one window takes as long as interpolating this many pixels
NEIGHBOURS = np.ones((3, 3), np.uint8)  # a grid point and the eight around it


def log_odds(probability: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the log-odds of probabilities, float32 of any shape, between -`MAX_LOG_ODDS` and `MAX_LOG_ODDS`.

    A contour between two grid points is drawn where interpolated log-odds are 0, as the segmenter was trained: its
    loss interpolates logits. Interpolated probabilities would put it half-way between two certain points, wherever it
    runs.
    """
    lowest = 1.0 / (1.0 + math.exp(MAX_LOG_ODDS))
    p = np.minimum(np.maximum(probability, np.float32(lowest)), np.float32(1.0 - lowest))
    return np.asarray(cv2.log(p / (1.0 - p)).reshape(p.shape), np.float32)


def log_odds_planes(probabilities: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return two planes (h, w) of float (h, w, 3): background probability, and log-odds of nucleus to cytoplasm."""
    background, cytoplasm, nucleus = (probabilities[..., channel] for channel in range(3))
    return background, _nucleus_log_odds(cytoplasm, nucleus)


def _nucleus_log_odds(cytoplasm: NDArray[np.float32], nucleus: NDArray[np.float32]) -> NDArray[np.float32]:
    return log_odds(nucleus / np.maximum(nucleus + cytoplasm, np.float32(MIN_SUM)))


@dataclass(frozen=True, slots=True, eq=False)
class CellContours:
    """The cells of a field as log-odds on the segmenter's grid, from which contours between grid points follow.

    Removed specks and slivers are certain background; filled holes are certain cytoplasm.
    """

    background: NDArray[np.float32]  # (h, w): log-odds of background to cell
    nucleus: NDArray[np.float32]  # (h, w): log-odds of nucleus to cytoplasm; 0 far from any cell
    near_cells: NDArray[np.intp]  # (n,): flat indices of the grid points that contours depend on

    @staticmethod
    def of(probabilities: NDArray[np.float32], cell: NDArray[np.bool_], between: bool) -> "CellContours":
        """Return the contours of bool (h, w) `cell` in float (h, w, 3) `probabilities`.

        With `between`, the grid points around cells are included, for contours finer than the grid.
        """
        near = np.flatnonzero(cv2.dilate(cell.view(np.uint8), NEIGHBOURS).view(bool) if between else cell)
        background, nucleus = np.full(cell.shape, MAX_LOG_ODDS, np.float32), np.zeros(cell.shape, np.float32)
        if not len(near):
            return CellContours(background, nucleus, near)
        p_background, p_cytoplasm, p_nucleus = (np.take(probabilities[..., channel], near) for channel in range(3))
        hole = np.take(cell, near) & (p_background >= 0.5)
        p_background[hole] = 0.0
        near_nucleus = _nucleus_log_odds(p_cytoplasm, p_nucleus)
        near_nucleus[hole] = -1.0
        background.reshape(-1)[near], nucleus.reshape(-1)[near] = log_odds(p_background), near_nucleus
        return CellContours(background, nucleus, near)

    def finer(self, points: NDArray[np.intp], stride: int) -> NDArray[np.float32]:
        """Return float32 (n, stride * stride): background log-odds at each pixel of n grid `points`, row by row.

        int (n,) `points` are flat indices.
        """
        rows, columns = np.divmod(points, self.background.shape[1])
        padded = np.asarray(cv2.copyMakeBorder(self.background, 1, 1, 1, 1, cv2.BORDER_REPLICATE), np.float32)
        width = padded.shape[1]
        middle = (rows + 1) * width + columns + 1
        neighbours = np.array([y * width + x for y in (-1, 0, 1) for x in (-1, 0, 1)])
        return np.asarray(np.take(padded, middle[:, np.newaxis] + neighbours) @ _neighbour_weights(stride))

    def in_frame(self, boxes: NDArray[np.intp], view: ModelFrame) -> CellMask:
        """Return the mask in the frame's own pixels.

        Every cell lies in one of `boxes`, int (n, 4) of x, y, width and height at model scale.
        """
        height, width = view.frame_shape
        stride = stride_of(self.background, view)
        if view.is_frame and stride == 1:
            return CellMask(mask_values(self.background, self.nucleus))
        budget = height * width - len(boxes) * WINDOW_COST_PX
        windows = [_window(box, view, stride) for box in boxes.tolist()] if budget > 0 else []
        if sum(window.pixels for window in windows) >= budget:  # the whole frame at once is faster than its windows
            planes = (to_frame_scale(p[..., np.newaxis], view)[..., 0] for p in (self.background, self.nucleus))
            return CellMask(mask_values(*planes))
        vertical, horizontal = (_positions(view, stride, axis) for axis in (0, 1))
        stacked = np.stack([self.background, self.nucleus])
        values = np.zeros((height, width), np.uint8)
        for window in windows:
            part = stacked[:, window.grid_rows, window.grid_columns]
            rows = _linear_weights(vertical[window.rows], window.grid_rows.start, part.shape[1])
            columns = _linear_weights(horizontal[window.columns], window.grid_columns.start, part.shape[2])
            background, nucleus = rows @ part @ columns.T
            values[window.rows, window.columns] = mask_values(background, nucleus)
        return CellMask(values)


def mask_values(background: NDArray[np.float32], nucleus: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the values of a `CellMask`, uint8 (h, w), from the log-odds planes of `CellContours`."""
    values = (nucleus >= 0).view(np.uint8)
    values *= NUCLEUS - CYTOPLASM
    values += CYTOPLASM
    values *= (background < 0).view(np.uint8)  # BACKGROUND is 0
    return values


@lru_cache(maxsize=4)
def _neighbour_weights(stride: int) -> NDArray[np.float32]:
    """Return float32 (9, stride * stride): bilinear weights of a grid point and its neighbours at its pixels."""
    position = (np.arange(stride) + 0.5) / stride - 0.5
    linear = np.maximum(0.0, 1.0 - np.abs(position - np.array([[-1.0], [0.0], [1.0]])))
    return np.asarray(np.einsum("ai,bj->abij", linear, linear).reshape(9, -1), np.float32)


@dataclass(frozen=True, slots=True)
class _Window:
    """The part of the frame around one cell, and the grid points that its contour there may depend on."""

    rows: slice  # of the frame
    columns: slice
    grid_rows: slice
    grid_columns: slice
    pixels: int  # of the frame


def _window(box: list[int], view: ModelFrame, stride: int) -> _Window:
    (left, top), (content_width, content_height), (height, width) = view.offset, view.content, view.frame_shape
    x, y, box_width, box_height = box
    y0, y1 = _span_in_frame(y - top, box_height, height / content_height, height)
    x0, x1 = _span_in_frame(x - left, box_width, width / content_width, width)
    grid_rows = slice(max(0, y // stride - 3), -(-(y + box_height) // stride) + 3)
    grid_columns = slice(max(0, x // stride - 3), -(-(x + box_width) // stride) + 3)
    return _Window(slice(y0, y1), slice(x0, x1), grid_rows, grid_columns, (y1 - y0) * (x1 - x0))


def _span_in_frame(first: int, length: int, scale: float, limit: int) -> tuple[int, int]:
    """Return start and end in the frame of a span at model scale, widened by two pixels on either side."""
    start = min(max(0, math.floor((first - 2) * scale)), limit)
    return start, min(max(start, math.ceil((first + length + 2) * scale)), limit)


def _positions(view: ModelFrame, stride: int, axis: int) -> NDArray[np.float64]:
    """Return float64 (pixels,): where each pixel of the frame lies between the grid points of an axis."""
    return grid_positions(view.frame_shape[axis], view.offset[1 - axis], view.content[1 - axis], stride)


def _linear_weights(positions: NDArray[np.float64], first: int, points: int) -> NDArray[np.float32]:
    """Return float32 (pixels, points): the linear weight of each grid point from `first` on at each of `positions`."""
    distance = np.abs(positions[:, np.newaxis] - np.arange(first, first + points))
    return np.maximum(0.0, 1.0 - distance).astype(np.float32)
