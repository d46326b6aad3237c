"""From a frame to the models' scale and back, and from pixels to a tensor: nothing else scales a picture."""

from dataclasses import dataclass

import cv2
import numpy as np

from smear.errors import ImageError
from smear.findings import require_rgb

FIELD_SIZE = 224  # edge of the field both models were made for, in pixels (the paper's input)
MODEL_PIXEL_SIZE_UM = 0.5  # the data set's fields: median red cell 14.5 px for 7.2 um, median blast 24 px for 12 um
MAX_MODEL_PIXELS = 12_500_000  # 1.77 mm each way at 0.5 um: a picture of 50 megapixels at 0.25 um; takes about 400 MB


@dataclass(frozen=True, slots=True, eq=False)
class ModelFrame:
    """A frame resampled to the models' scale, at least `FIELD_SIZE` on each side."""

    pixels: np.ndarray  # RGB uint8 (h, w, 3)
    scale: float  # model pixels per frame pixel
    offset: tuple[int, int]  # x, y of the frame's top-left corner inside `pixels` (centred when smaller)
    content: tuple[int, int]  # width, height of the frame inside `pixels`
    frame_shape: tuple[int, int]  # height, width of the original frame
    whole_field: bool  # pixel size unknown: taken as one field of the data set, scale bar and all
    outside: np.ndarray | None = None  # bool (h, w): painted, since it lies outside an eyepiece's field of view

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

    def to_frame(self, points: np.ndarray) -> np.ndarray:
        """Return x, y of pixel centres in `pixels`, (..., 2), as float places in the frame; `places_of` goes back."""
        # + 0.5 and - 0.5: edges of pixels, not their centres, are what scales
        return np.asarray((points - np.array(self.offset) + 0.5) * np.array(self.frame_per_model) - 0.5)


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
        pixels = cv2.resize(image, content, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    pad_x, pad_y = max(0, size - content[0]), max(0, size - content[1])
    left, top = pad_x // 2, pad_y // 2
    if pad_x or pad_y:
        pixels = cv2.copyMakeBorder(pixels, top, pad_y - top, left, pad_x - left, cv2.BORDER_REFLECT)
    return ModelFrame(pixels, scale, (left, top), content, (height, width), pixel_size_um is None)


def _unusable(pixel_size_um: float | None, width: int, height: int) -> str:
    if pixel_size_um is None or not 0 < pixel_size_um < float("inf"):
        return f"a pixel size of {pixel_size_um} um is none; give the edge of one pixel on the slide"
    across, down = (side * pixel_size_um / 1000 for side in (width, height))
    return (
        f"a pixel size of {pixel_size_um:g} um makes {width}x{height} pixels {across:.2g} x {down:.2g} mm, more than "
        "any field of a microscope; give the edge of one pixel on the slide, not on the sensor"
    )


def stride_of(values: np.ndarray, frame: ModelFrame) -> int:
    """Return how many pixels of `frame` one place of (h, w) or (h, w, c) `values` stands for, each way."""
    return round(float(frame.pixels.shape[0] / values.shape[0]))


def to_tensor(pixels: np.ndarray) -> np.ndarray:
    """Return RGB uint8 (h, w, 3) as float32 (1, h, w, 3) in 0 to 1: the input of every model."""
    return (pixels.astype(np.float32) / 255.0)[np.newaxis]


def as_tensor(given: np.ndarray) -> np.ndarray:
    """Return `given` as every model takes it: a uint8 (1, h, w, 3) picture through `to_tensor`, float32 as it is."""
    return to_tensor(given[0]) if given.dtype == np.uint8 else given


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

    The inverse of `ModelFrame.to_frame`: `offset` and `content` are where the frame begins in the view and how long it
    is there. Beyond the outermost places of the frame nothing is read.
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


def content_of(values: np.ndarray, frame: ModelFrame) -> np.ndarray:
    """Return the part of (h, w, ...) at model scale that the frame itself is, without mirrored borders: a view."""
    (left, top), (width, height) = frame.offset, frame.content
    return values[top : top + height, left : left + width]
