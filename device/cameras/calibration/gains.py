"""What each pixel of a frame is multiplied by, without keeping a number for each."""

import cv2
import numpy as np

from device.cameras.calibration.profile import GRID, Calibration

STRIP_ROWS = 64  # made at a time
_NOTHING: np.ndarray = np.empty((0, 0), np.float32)  # to add
CACHED_PIXELS = 4_000_000  # gains of larger frames are made anew for each frame: of 48 megapixels they take 576 MB


class GainRows:
    """What each pixel of a frame is multiplied by: the grid of a flat field and the white balance, row by row."""

    def __init__(self, calibration: Calibration, shape: tuple[int, int]) -> None:
        """`shape` is the frame's height and width."""
        self.shape = shape
        height, width = shape
        grid: np.ndarray = np.ones((*GRID, 3), np.float32)
        if calibration.flat is not None:
            grid = np.array(calibration.flat, np.float32)
        if calibration.white is not None:
            grid = grid * np.array(calibration.white, np.float32)
        wide = cv2.resize(grid, (width, GRID[0]), interpolation=cv2.INTER_CUBIC)
        self._wide = np.ascontiguousarray(wide.reshape(GRID[0], width * 3))
        # Bicubic interpolation is linear in the rows of the grid: these are their weights in each row of the frame.
        self._weights = cv2.resize(np.eye(GRID[0], dtype=np.float32), (GRID[0], height), interpolation=cv2.INTER_CUBIC)
        self._cached = self._all() if height * width <= CACHED_PIXELS else None

    def gains(self, rows: slice) -> np.ndarray:
        """Return float32 (n, W, 3) of `rows`."""
        return self._made(rows) if self._cached is None else self._cached[rows]

    def _made(self, rows: slice) -> np.ndarray:
        weights = self._weights[rows]
        near = np.flatnonzero(weights.any(axis=0))  # each row of the frame lies between four rows of the grid
        used = slice(int(near[0]), int(near[-1]) + 1)
        made = cv2.gemm(np.ascontiguousarray(weights[:, used]), self._wide[used], 1.0, _NOTHING, 0.0)
        return np.asarray(made.reshape(len(weights), self.shape[1], 3))

    def _all(self) -> np.ndarray:
        strips = [slice(top, top + STRIP_ROWS) for top in range(0, self.shape[0], STRIP_ROWS)]
        return np.concatenate([self._made(strip) for strip in strips])
