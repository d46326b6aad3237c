"""Overlapping tiles of a picture at model scale, and their answers stitched into one map."""

import math
from collections.abc import Iterable
from functools import lru_cache
from itertools import chain
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from smear.imaging.resampling import FIELD_SIZE

TILE_OVERLAP = 48  # two blast diameters, so that every cell is whole in one tile
_T = TypeVar("_T", np.uint8, np.float32)


def tile_origins(height: int, width: int, size: int = FIELD_SIZE, stride: int = 1) -> list[tuple[int, int]]:
    """Return x, y of the fewest `size` tiles that cover (height, width) with `TILE_OVERLAP`, evenly spread.

    Origins are multiples of `stride`, and so must `height`, `width` and `size` be; see `whole_strides`.
    """

    def along(length: int) -> list[int]:
        count = max(1, math.ceil((length - TILE_OVERLAP) / (size - TILE_OVERLAP)))
        steps = (length - size) / max(1, count - 1) / stride
        return [round(i * steps) * stride for i in range(count)]

    return [(x, y) for y in along(height) for x in along(width)]


def tile(pixels: NDArray[_T], origin: tuple[int, int], size: int = FIELD_SIZE) -> NDArray[_T]:
    """Cut the `size` square at `origin` (x, y) out of `pixels`; a view, not a copy."""
    x, y = origin
    return pixels[y : y + size, x : x + size]


def whole_strides(pixels: NDArray[_T], stride: int) -> NDArray[_T]:
    """Return (h, w, c) with its right and bottom border mirrored until both sides are multiples of `stride`."""
    height, width = pixels.shape[:2]
    right, bottom = -width % stride, -height % stride
    if not (right or bottom):
        return pixels
    return np.asarray(cv2.copyMakeBorder(pixels, 0, bottom, 0, right, cv2.BORDER_REFLECT))


def stitch(
    tiles: Iterable[NDArray[np.float32]], origins: list[tuple[int, int]], shape: tuple[int, int], stride: int = 1
) -> NDArray[np.float32]:
    """Join float (size, size, c) tile maps into (h, w, c), fading linearly where they overlap.

    `origins` and `shape` are in pixels; a map, and the result, has one grid point per `stride` of them. `tiles` may be
    a generator. The result's channels are contiguous planes in memory.
    """
    maps = iter(tiles)
    first = next(maps)
    if len(origins) == 1:
        return first
    size, channels = first.shape[0], first.shape[2]
    corners = tuple((x // stride, y // stride) for x, y in origins)
    height, width = shape[0] // stride, shape[1] // stride
    weight, covered = _blending_weights(size, corners, (height, width), TILE_OVERLAP // stride)
    total = np.zeros((channels, height, width), np.float32)
    for values, (x, y) in zip(chain([first], maps), corners, strict=True):
        for channel in range(channels):
            window = total[channel, y : y + size, x : x + size]
            cv2.accumulateProduct(values[..., channel], weight, window)
    for plane in total:
        cv2.divide(plane, covered, plane)
    return total.transpose(1, 2, 0)


@lru_cache(maxsize=4)
def _blending_weights(
    size: int, corners: tuple[tuple[int, int], ...], shape: tuple[int, int], fade: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the weights within a tile, (size, size), and the sum of all tiles' weights, of `shape`."""
    ramp = np.minimum(np.arange(size) + 1, size - np.arange(size)).clip(max=fade).astype(np.float32)
    weight = np.minimum.outer(ramp, ramp)
    covered = np.zeros(shape, np.float32)
    for x, y in corners:
        covered[y : y + size, x : x + size] += weight
    return weight, covered
