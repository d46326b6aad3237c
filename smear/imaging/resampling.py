"""Frames at the models' scale and back, and pixels as tensors: the only place where a picture is scaled."""

from dataclasses import dataclass
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from smear.errors import ImageError
from smear.findings import require_rgb

FIELD_SIZE = 224  # edge of the field both models were made for, in pixels (the paper's input)
MODEL_PIXEL_SIZE_UM = 0.5  # the data set's fields: median red cell 14.5 px for 7.2 µm, median blast 24 px for 12 µm
MAX_MODEL_PIXELS = 12_500_000  # 1.77 mm each way at 0.5 µm: a picture of 50 megapixels at 0.25 µm; takes about 400 MB


_T = TypeVar("_T", bound=np.generic)


@dataclass(frozen=True, slots=True, eq=False)
class ModelFrame:
    """A frame resampled to the models' scale, at least `FIELD_SIZE` on each side."""

    pixels: NDArray[np.uint8]  # RGB (h, w, 3)
    scale: float  # model pixels per frame pixel
    offset: tuple[int, int]  # x, y of the frame's top-left corner inside `pixels` (centred when smaller)
    content: tuple[int, int]  # width, height of the frame inside `pixels`
    frame_shape: tuple[int, int]  # height, width of the original frame
    whole_field: bool  # pixel size unknown: taken as one field of the data set, scale bar and all
    outside: NDArray[np.bool_] | None = None  # (h, w): painted, as it lies outside an eyepiece's field of view

    @property
    def resampled(self) -> bool:
        """Whether the frame's own pixels were scaled."""
        return self.content != self.frame_shape[::-1]

    @property
    def is_frame(self) -> bool:
        """Whether `pixels` are the frame itself, neither scaled nor with mirrored borders."""
        return not self.resampled and self.pixels.shape[:2] == self.frame_shape

    @property
    def frame_per_model(self) -> tuple[float, float]:
        """Frame pixels per model pixel along x and y; they differ by what rounding `content` to whole pixels leaves."""
        height, width = self.frame_shape
        return width / self.content[0], height / self.content[1]

    def to_frame(self, points: NDArray[np.number]) -> NDArray[np.float64]:
        """Return x, y of pixel centres in `pixels`, (..., 2), as positions in the frame; reverses `grid_positions`."""
        # + 0.5 and - 0.5: edges of pixels, not their centres, are what scales
        return np.asarray((points - np.array(self.offset) + 0.5) * np.array(self.frame_per_model) - 0.5)


def to_model_scale(
    image: NDArray[np.uint8],
    pixel_size_um: float | None = None,
    model_pixel_size_um: float = MODEL_PIXEL_SIZE_UM,
    size: int = FIELD_SIZE,
) -> ModelFrame:
    """Resample RGB uint8 (H, W, 3) so that one pixel is `model_pixel_size_um` on the slide.

    Where `pixel_size_um` is unknown the longer side becomes `size`, as the data set was made. What is then
    smaller than `size` is centred and its border mirrored.

    Raises:
        ImageError: `image` is not RGB uint8, or would be larger than `MAX_MODEL_PIXELS`.
    """
    require_rgb(image)
    height, width = image.shape[:2]
    scale = size / max(height, width) if pixel_size_um is None else pixel_size_um / model_pixel_size_um
    if not (scale > 0 and width * height * scale**2 <= MAX_MODEL_PIXELS):  # false for NaN
        raise ImageError(_unusable(pixel_size_um, width, height))
    content = (max(1, round(width * scale)), max(1, round(height * scale)))
    pixels = image
    if content != (width, height):
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        pixels = np.asarray(cv2.resize(image, content, interpolation=method), np.uint8)
    pad_x, pad_y = max(0, size - content[0]), max(0, size - content[1])
    left, top = pad_x // 2, pad_y // 2
    if pad_x or pad_y:
        border = (top, pad_y - top, left, pad_x - left)
        pixels = np.asarray(cv2.copyMakeBorder(pixels, *border, cv2.BORDER_REFLECT), np.uint8)
    return ModelFrame(pixels, scale, (left, top), content, (height, width), pixel_size_um is None)


def _unusable(pixel_size_um: float | None, width: int, height: int) -> str:
    if pixel_size_um is None or not 0 < pixel_size_um < float("inf"):
        return f"a pixel size of {pixel_size_um} µm is none; give the edge of one pixel on the slide"
    across, down = (side * pixel_size_um / 1000 for side in (width, height))
    return (
        f"a pixel size of {pixel_size_um:g} µm makes {width}x{height} pixels {across:.2g} x {down:.2g} mm, more than "
        "any field of a microscope; give the edge of one pixel on the slide, not on the sensor"
    )


def stride_of(values: NDArray[np.floating], frame: ModelFrame) -> int:
    """Return the pixels of `frame` per grid point of (h, w) or (h, w, c) `values`, each way."""
    return round(float(frame.pixels.shape[0] / values.shape[0]))


def to_tensor(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return RGB uint8 (h, w, 3) as float32 (1, h, w, 3) in 0 to 1: the input of every model."""
    return (pixels.astype(np.float32) / 255.0)[np.newaxis]


def as_tensor(given: NDArray[Any]) -> NDArray[np.float32]:
    """Return a model's input: a uint8 (1, h, w, 3) picture by `to_tensor`, float32 unchanged."""
    return to_tensor(given[0]) if given.dtype == np.uint8 else given


def to_frame_scale(values: NDArray[np.float32], frame: ModelFrame) -> NDArray[np.float32]:
    """Bring a float (h, w, c) map back to (H, W, c) of the original frame, bilinearly.

    The map is at model scale, or has one grid point per `stride_of` pixels.
    """
    (left, top), (width, height) = frame.offset, frame.content
    stride = stride_of(values, frame)
    if any(side % stride for side in (left, top, width, height)):
        return _interpolate(values, frame, stride)
    inner = values[top // stride : (top + height) // stride, left // stride : (left + width) // stride]
    if inner.shape[:2] == frame.frame_shape:
        return inner
    resized = cv2.resize(inner, frame.frame_shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized.reshape(*frame.frame_shape, values.shape[2]), np.float32)


def grid_positions(length: int, offset: int, content: int, stride: int) -> NDArray[np.float64]:
    """Return the positions of the centres of `length` frame pixels on a map's grid along one axis, float64 (length,).

    The inverse of `ModelFrame.to_frame`: the frame begins at `offset` in the model's view and is `content` long there.
    Positions are clipped to the outermost grid points of the frame.
    """
    centres = ((np.arange(length) + 0.5) * (content / length) + offset) / stride - 0.5
    return np.clip(centres, offset // stride, -(-(offset + content) // stride) - 1)


def _interpolate(values: NDArray[np.float32], frame: ModelFrame, stride: int) -> NDArray[np.float32]:
    """Interpolate where the frame's edge lies between two grid points, which `cv2.resize` cannot express."""
    for axis in (0, 1):
        position = grid_positions(frame.frame_shape[axis], frame.offset[1 - axis], frame.content[1 - axis], stride)
        low = np.minimum(position.astype(int), values.shape[axis] - 2)
        fraction = (position - low).astype(np.float32).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        values = np.take(values, low, axis) * (1 - fraction) + np.take(values, low + 1, axis) * fraction
    return values


def content_of(values: NDArray[_T], frame: ModelFrame) -> NDArray[_T]:
    """Return the part of (h, w, ...) at model scale that is the frame itself, without mirrored borders: a view."""
    (left, top), (width, height) = frame.offset, frame.content
    return values[top : top + height, left : left + width]
