"""The one way from pixels to a tensor: views at the models' scale, neutral ground, and back to the frame.

Training, conversion, the device and the benchmarks all call this file; nothing else scales or crops.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import cv2
import numpy as np

from smear.field import require_rgb
from smear.stain import glass_colour, stain_table

FIELD_SIZE = 224  # edge of the field both models were made for, in pixels (the paper's input)
MODEL_PIXEL_SIZE_UM = 0.5  # the data set's fields: median red cell 14.5 px for 7.2 um, median blast 24 px for 12 um
TILE_OVERLAP = 48  # two blast diameters, so that every cell is whole in one tile
SCALE_BAR_BOX = (48, 32)  # width and height of the burned-in scale bar of the data set, bottom right
NEUTRAL = 255  # ground that a classifier is shown around cells: white glass, the same for every class
FIELD_SAMPLES = 112  # along the shorter side: every other pixel of a field of the data set tells its glass
CROP_SIZE = 48  # edge of a cell crop in model pixels: 24 um; 99 % of the measured leukocytes are below 17 um


@dataclass(frozen=True, slots=True, eq=False)
class ModelFrame:
    """A frame resampled to the models' scale, at least `FIELD_SIZE` on each side."""

    pixels: np.ndarray  # RGB uint8 (h, w, 3)
    scale: float  # model pixels per frame pixel
    offset: tuple[int, int]  # x, y of the frame's top-left corner inside `pixels` (centred when smaller)
    content: tuple[int, int]  # width, height of the frame inside `pixels`
    frame_shape: tuple[int, int]  # height, width of the original frame
    whole_field: bool  # pixel size unknown: taken as one field of the data set, scale bar and all


def to_model_scale(
    image: np.ndarray,
    pixel_size_um: float | None = None,
    model_pixel_size_um: float = MODEL_PIXEL_SIZE_UM,
    size: int = FIELD_SIZE,
) -> ModelFrame:
    """Resample RGB uint8 (H, W, 3) so that one pixel is `model_pixel_size_um` on the slide.

    Where `pixel_size_um` is unknown the longer side becomes `size`, as the data set was made. What is then
    smaller than `size` is centred and its border mirrored.

    Raises:
        ImageError: `image` is not RGB uint8.
    """
    require_rgb(image)
    height, width = image.shape[:2]
    scale = pixel_size_um / model_pixel_size_um if pixel_size_um else size / max(height, width)
    content = (max(1, round(width * scale)), max(1, round(height * scale)))
    pixels = image
    if content != (width, height):
        pixels = cv2.resize(image, content, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    pad_x, pad_y = max(0, size - content[0]), max(0, size - content[1])
    left, top = pad_x // 2, pad_y // 2
    if pad_x or pad_y:
        pixels = cv2.copyMakeBorder(pixels, top, pad_y - top, left, pad_x - left, cv2.BORDER_REFLECT)
    return ModelFrame(pixels, scale, (left, top), content, (height, width), pixel_size_um is None)


def tile_origins(height: int, width: int, size: int = FIELD_SIZE, stride: int = 1) -> list[tuple[int, int]]:
    """Return x, y of the fewest `size` tiles that cover (height, width) with `TILE_OVERLAP`, evenly spread.

    They are multiples of `stride`, and so must `height`, `width` and `size` be; see `whole_strides`.
    """

    def along(length: int) -> list[int]:
        count = max(1, math.ceil((length - TILE_OVERLAP) / (size - TILE_OVERLAP)))
        steps = (length - size) / max(1, count - 1) / stride
        return [round(i * steps) * stride for i in range(count)]

    return [(x, y) for y in along(height) for x in along(width)]


def tile(pixels: np.ndarray, origin: tuple[int, int], size: int = FIELD_SIZE) -> np.ndarray:
    """Cut the `size` square at `origin` (x, y) out of `pixels`; a view, not a copy."""
    x, y = origin
    return pixels[y : y + size, x : x + size]


def whole_strides(pixels: np.ndarray, stride: int) -> np.ndarray:
    """Return (h, w, c) with its right and bottom border mirrored until both sides are multiples of `stride`."""
    height, width = pixels.shape[:2]
    right, bottom = -width % stride, -height % stride
    if not (right or bottom):
        return pixels
    return np.asarray(cv2.copyMakeBorder(pixels, 0, bottom, 0, right, cv2.BORDER_REFLECT))


def stride_of(values: np.ndarray, frame: ModelFrame) -> int:
    """Return how many pixels of `frame` one place of (h, w) or (h, w, c) `values` stands for, each way."""
    return round(float(frame.pixels.shape[0] / values.shape[0]))


def to_tensor(pixels: np.ndarray) -> np.ndarray:
    """Return RGB uint8 (h, w, 3) as float32 (1, h, w, 3) in 0 to 1: the input of every model."""
    return (pixels.astype(np.float32) / 255.0)[np.newaxis]


def as_tensor(given: np.ndarray) -> np.ndarray:
    """Return `given` as every model takes it: a uint8 (1, h, w, 3) picture through `to_tensor`, float32 as it is."""
    return to_tensor(given[0]) if given.dtype == np.uint8 else given


def stitch(
    tiles: Iterable[np.ndarray], origins: list[tuple[int, int]], shape: tuple[int, int], stride: int = 1
) -> np.ndarray:
    """Join float (size, size, c) tile maps into (h, w, c), fading linearly where they overlap.

    `origins` and `shape` are in pixels; `stride` of them make one place of a map, and of the result.
    Tiles may be made while they are taken; the planes of the result lie one after the other in memory.
    """
    maps = iter(tiles)
    first = next(maps)
    if len(origins) == 1:
        return first
    size, channels = first.shape[0], first.shape[2]
    corners = tuple((x // stride, y // stride) for x, y in origins)
    height, width = shape[0] // stride, shape[1] // stride
    weight, covered = _fading(size, corners, (height, width), TILE_OVERLAP // stride)
    total = np.zeros((channels, height, width), np.float32)
    for values, (x, y) in zip(chain([first], maps), corners, strict=True):
        for channel in range(channels):
            window = total[channel, y : y + size, x : x + size]
            cv2.accumulateProduct(values[..., channel], weight, window)
    for plane in total:
        cv2.divide(plane, covered, plane)
    return total.transpose(1, 2, 0)


@lru_cache(maxsize=4)
def _fading(
    size: int, corners: tuple[tuple[int, int], ...], shape: tuple[int, int], fade: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weight of a tile's places, and the sum of all weights at each place of the whole."""
    ramp = np.minimum(np.arange(size) + 1, size - np.arange(size)).clip(max=fade).astype(np.float32)
    weight = np.minimum.outer(ramp, ramp)
    covered = np.zeros(shape, np.float32)
    for x, y in corners:
        covered[y : y + size, x : x + size] += weight
    return weight, covered


def to_frame_scale(values: np.ndarray, frame: ModelFrame) -> np.ndarray:
    """Bring a float (h, w, c) map back to (H, W, c) of the original frame, bilinearly.

    It is at model scale, or has one place for each `stride_of` pixels.
    """
    (left, top), (width, height) = frame.offset, frame.content
    stride = stride_of(values, frame)
    if any(side % stride for side in (left, top, width, height)):
        return _between_places(values, frame, stride)
    inner = values[top // stride : (top + height) // stride, left // stride : (left + width) // stride]
    if inner.shape[:2] == frame.frame_shape:
        return inner
    resized = cv2.resize(inner, frame.frame_shape[::-1], interpolation=cv2.INTER_LINEAR)
    return resized.reshape(*frame.frame_shape, values.shape[2])


def places_of(length: int, offset: int, content: int, stride: int) -> np.ndarray:
    """Return where the middles of `length` frame pixels lie in a map, float64 (length,), along one axis.

    `offset` and `content` are where the frame begins in the view and how long it is there. Beyond the outermost
    places of the frame nothing is read.
    """
    middles = ((np.arange(length) + 0.5) * (content / length) + offset) / stride - 0.5
    return np.clip(middles, offset // stride, -(-(offset + content) // stride) - 1)


def _between_places(values: np.ndarray, frame: ModelFrame, stride: int) -> np.ndarray:
    """Interpolate where the frame's edge lies between two places, which resizing a window cannot say."""
    for axis in (0, 1):
        places = places_of(frame.frame_shape[axis], frame.offset[1 - axis], frame.content[1 - axis], stride)
        low = np.minimum(places.astype(int), values.shape[axis] - 2)
        share = (places - low).astype(np.float32).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        values = np.take(values, low, axis) * (1 - share) + np.take(values, low + 1, axis) * share
    return values


def scale_bar_box(frame: ModelFrame) -> tuple[int, int, int, int] | None:
    """Return x, y, width, height of the corner that may hold a burned-in scale bar, or None where none can be."""
    if not frame.whole_field:
        return None
    width, height = SCALE_BAR_BOX
    right, bottom = frame.offset[0] + frame.content[0], frame.offset[1] + frame.content[1]
    return right - width, bottom - height, width, height


def without_scale_bar(frame: ModelFrame) -> np.ndarray:
    """Return a copy of the pixels with the scale bar's corner painted `NEUTRAL`, where there may be one."""
    pixels = frame.pixels.copy()
    box = scale_bar_box(frame)
    if box is not None:
        x, y, width, height = box
        pixels[y : y + height, x : x + width] = NEUTRAL
    return pixels


def content_of(values: np.ndarray, frame: ModelFrame) -> np.ndarray:
    """Return the part of (h, w, ...) at model scale that the frame itself is, without mirrored borders: a view."""
    (left, top), (width, height) = frame.offset, frame.content
    return values[top : top + height, left : left + width]


def glass_of(frame: ModelFrame, cell: np.ndarray) -> np.ndarray:
    """Return the colour of the frame's empty glass, float (3,) RGB in 0..255; `cell` is bool (h, w)."""
    return glass_colour(content_of(frame.pixels, frame), content_of(cell, frame), FIELD_SAMPLES)


def clear_of_bar(frame: ModelFrame, cell: np.ndarray) -> np.ndarray:
    """Return bool (h, w) `cell` without what lies in the scale bar's corner: itself where there can be none."""
    box = scale_bar_box(frame)
    if box is None:
        return cell
    x, y, width, height = box
    seen = cell.copy()
    seen[y : y + height, x : x + width] = False
    return seen


def cells_alone(
    frame: ModelFrame, cell: np.ndarray, glass: np.ndarray, stain: tuple[float, float] | None = None
) -> np.ndarray:
    """Return a copy of the pixels with all but bool (h, w) `cell`, and the scale bar's corner, painted `NEUTRAL`.

    With `stain` the cells are stained to this mean density over `glass`, (3,) RGB; see `smear.stain.stain_table`.
    """
    seen = clear_of_bar(frame, cell)
    shown = on_neutral_ground(frame.pixels, seen)
    if stain is None:
        return shown
    return np.asarray(cv2.LUT(shown, stain_table(shown, seen, glass, stain)))


def on_neutral_ground(pixels: np.ndarray, keep: np.ndarray, ground: int = NEUTRAL) -> np.ndarray:
    """Return a copy of RGB uint8 (h, w, 3) with everything outside bool (h, w) `keep` painted `ground`."""
    return np.asarray(cv2.copyTo(pixels, keep.astype(np.uint8), np.full(pixels.shape, ground, np.uint8)))


def crop_cell(pixels: np.ndarray, cell: np.ndarray, centre: tuple[float, float], size: int = CROP_SIZE) -> np.ndarray:
    """Return the `size` square around a cell's `centre` (x, y): the pixels where bool (h, w) `cell`, else neutral.

    The cell's neighbours stay in it: how close leukocytes lie is a fact about cells, not about the ground.
    """
    return crop_at(on_neutral_ground(pixels, cell), centre, size)


def crop_at(shown: np.ndarray, centre: tuple[float, float], size: int = CROP_SIZE) -> np.ndarray:
    """Return the `size` square around `centre` (x, y) of RGB uint8 `shown`, neutral beyond its edge."""
    x, y = round(centre[0]) - size // 2, round(centre[1]) - size // 2
    height, width = shown.shape[:2]
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + size, width), min(y + size, height)
    if (x1 - x0, y1 - y0) == (size, size):
        return shown[y0:y1, x0:x1]
    crop = np.full((size, size, 3), NEUTRAL, np.uint8)
    if x0 < x1 and y0 < y1:
        crop[y0 - y : y1 - y, x0 - x : x1 - x] = shown[y0:y1, x0:x1]
    return crop
