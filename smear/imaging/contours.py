"""Where cells end, finer than the grid that the segmenter answers on: at model scale, and in the frame's own pixels."""

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from smear.findings import CYTOPLASM, NUCLEUS, CellMask
from smear.imaging.resampling import ModelFrame, places_of, stride_of, to_frame_scale
from smear.imaging.stain_normalization import nonzero_indices

SUREST = 9.0  # log-odds beyond which one place is no surer than another: 0.9999
LEAST = 1e-9  # sum of probabilities that is still divided by
WINDOW_COST_PX = 6000  # of the frame: what cutting out one window costs, in the time of interpolating so many
AROUND = np.ones((3, 3), np.uint8)


def log_odds(probability: np.ndarray) -> np.ndarray:
    """Return the log-odds of probabilities, float32 of any shape, between -`SUREST` and `SUREST`.

    A border between two places of a grid is drawn where they are 0, as the segmenter was taught: its loss
    interpolates logits. Interpolated probabilities would put it half-way between two sure places, wherever it runs.
    """
    least = 1.0 / (1.0 + math.exp(SUREST))
    p = np.minimum(np.maximum(probability, np.float32(least)), np.float32(1.0 - least))
    return np.asarray(cv2.log(p / (1.0 - p)).reshape(p.shape))


def log_odds_planes(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return two planes (h, w) of float (h, w, 3): how likely it is ground, and log-odds of nucleus to cytoplasm."""
    ground, cytoplasm, nucleus = (probabilities[..., channel] for channel in range(3))
    return ground, _nuclear_odds(cytoplasm, nucleus)


def _nuclear_odds(cytoplasm: np.ndarray, nucleus: np.ndarray) -> np.ndarray:
    return log_odds(nucleus / np.maximum(nucleus + cytoplasm, np.float32(LEAST)))


@dataclass(frozen=True, slots=True, eq=False)
class CellContours:
    """The cells of a field on the segmenter's grid, float32 (h, w) of log-odds: what is between two places follows.

    What was removed (specks, slivers) is sure ground, and what was filled is no ground.
    """

    ground: np.ndarray  # of ground to cell
    lean: np.ndarray  # of nucleus to cytoplasm; 0 far from any cell
    near: np.ndarray  # int (n,): the places, of the flattened planes, on which the course of a border depends

    @staticmethod
    def of(probabilities: np.ndarray, cell: np.ndarray, between: bool) -> "CellContours":
        """Return those of bool `cell` in float (h, w, 3); `between` leaves room around cells for finer borders."""
        near = nonzero_indices(cv2.dilate(cell.view(np.uint8), AROUND) if between else cell.view(np.uint8))
        ground, lean = np.full(cell.shape, SUREST, np.float32), np.zeros(cell.shape, np.float32)
        if not len(near):
            return CellContours(ground, lean, near)
        share, cytoplasm, nucleus = (np.take(probabilities[..., channel], near) for channel in range(3))
        hole = np.take(cell, near) & (share >= 0.5)
        share[hole] = 0.0
        leaning = _nuclear_odds(cytoplasm, nucleus)
        leaning[hole] = -1.0
        ground.reshape(-1)[near], lean.reshape(-1)[near] = log_odds(share), leaning
        return CellContours(ground, lean, near)

    def finer(self, stride: int) -> np.ndarray:
        """Return float32 (n, stride * stride): the log-odds of ground at each pixel of the places `near`, by rows."""
        rows, columns = np.divmod(self.near, self.ground.shape[1])
        known = cv2.copyMakeBorder(self.ground, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
        width = known.shape[1]
        middle = (rows + 1) * width + columns + 1
        around = np.array([y * width + x for y in (-1, 0, 1) for x in (-1, 0, 1)])
        return np.asarray(np.take(known, middle[:, np.newaxis] + around) @ _shares(stride))

    def in_frame(self, boxes: np.ndarray, view: ModelFrame) -> CellMask:
        """Return the mask in the frame's own pixels.

        Every cell lies in one of `boxes`, int (n, 4) of x, y, width and height at model scale.
        """
        height, width = view.frame_shape
        stride = stride_of(self.ground, view)
        if view.is_frame and stride == 1:
            return CellMask(_mask(self.ground, self.lean))
        room = height * width - len(boxes) * WINDOW_COST_PX
        windows = [_window(box, view, stride) for box in boxes.tolist()] if room > 0 else []
        if sum(window.pixels for window in windows) >= room:  # all of the frame is made sooner than their windows
            whole = (to_frame_scale(plane[..., np.newaxis], view)[..., 0] for plane in (self.ground, self.lean))
            return CellMask(_mask(*whole))
        down, across = (_interpolation(view, stride, axis, self.ground.shape[axis]) for axis in (0, 1))
        planes = np.stack([self.ground, self.lean])
        values = np.zeros((height, width), np.uint8)
        for window in windows:
            rows, columns = down[window.rows, window.grid_rows], across[window.columns, window.grid_columns].T
            ground, lean = rows @ planes[:, window.grid_rows, window.grid_columns] @ columns
            values[window.rows, window.columns] = _mask(ground, lean)
        return CellMask(values)


@lru_cache(maxsize=4)
def _shares(stride: int) -> np.ndarray:
    """Return float32 (9, stride * stride): what a place and its neighbours give to each pixel of it, linearly."""
    at = (np.arange(stride) + 0.5) / stride - 0.5
    along = np.maximum(0.0, 1.0 - np.abs(at - np.array([[-1.0], [0.0], [1.0]])))
    return np.asarray(np.einsum("ai,bj->abij", along, along).reshape(9, -1), np.float32)


def _mask(ground: np.ndarray, lean: np.ndarray) -> np.ndarray:
    values = (lean >= 0).view(np.uint8)
    values *= NUCLEUS - CYTOPLASM
    values += CYTOPLASM
    values *= (ground < 0).view(np.uint8)  # BACKGROUND is 0
    return values


@dataclass(frozen=True, slots=True)
class _Window:
    """A cell with all places of the grid that its border in the frame may depend on."""

    rows: slice  # of the frame
    columns: slice
    grid_rows: slice
    grid_columns: slice
    pixels: int  # of the frame


def _window(box: list[int], view: ModelFrame, stride: int) -> _Window:
    (left, top), (wide, high), (height, width) = view.offset, view.content, view.frame_shape
    x, y, box_width, box_height = box
    y0, y1 = _reach(y - top, box_height, height / high, height)
    x0, x1 = _reach(x - left, box_width, width / wide, width)
    grid_rows = slice(max(0, y // stride - 3), -(-(y + box_height) // stride) + 3)
    grid_columns = slice(max(0, x // stride - 3), -(-(x + box_width) // stride) + 3)
    return _Window(slice(y0, y1), slice(x0, x1), grid_rows, grid_columns, (y1 - y0) * (x1 - x0))


def _reach(first: int, length: int, scale: float, limit: int) -> tuple[int, int]:
    """Return from where to where a stretch at model scale, and two pixels on either side, reaches in the frame."""
    start = min(max(0, math.floor((first - 2) * scale)), limit)
    return start, min(max(start, math.ceil((first + length + 2) * scale)), limit)


def _interpolation(view: ModelFrame, stride: int, axis: int, places: int) -> np.ndarray:
    length, offset, content = view.frame_shape[axis], view.offset[1 - axis], view.content[1 - axis]
    return _weights(length, offset, content, stride, places)


@lru_cache(maxsize=4)
def _weights(length: int, offset: int, content: int, stride: int, places: int) -> np.ndarray:
    """Return float32 (length, places): what each place of the grid gives to each pixel of the frame, linearly."""
    at = places_of(length, offset, content, stride)
    return np.maximum(0.0, 1.0 - np.abs(at[:, np.newaxis] - np.arange(places))).astype(np.float32)
