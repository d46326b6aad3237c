"""Segmentation: the probabilities of background, cytoplasm and nucleus in a field, tile by tile."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from smear.bundle.manifest import Segmenter
from smear.imaging.resampling import ModelFrame
from smear.imaging.tiling import stitch, tile, tile_origins, whole_strides
from smear.inference.runtime import Runtime
from smear.inference.verification import answer_stride

POINTS_AT_ONCE = 2**16  # grid points of the tiles that go through softmax together: what fits a processor's cache


def segment(frame: ModelFrame, model: Runtime, facts: Segmenter) -> NDArray[np.float32]:
    """Return the probabilities of background, cytoplasm and nucleus, float32 (h, w, 3).

    There is one grid point per `stride` pixels of `frame` each way, as in the model's answer.

    Raises:
        InferenceError: the model did not answer.
    """
    size = model.input_shape[1]
    stride = answer_stride(model.input_shape, model.output_shape)
    pixels = whole_strides(frame.pixels, stride)
    height, width = pixels.shape[:2]
    origins = tile_origins(height, width, size, stride)
    at_once = max(1, POINTS_AT_ONCE // (size // stride) ** 2)

    def maps() -> Iterator[NDArray[np.float32]]:
        """Yield one tile's map after the other, so that only a few are in memory."""
        for first in range(0, len(origins), at_once):
            batch = origins[first : first + at_once]
            values = [model.invoke(tile(pixels, origin, size)[np.newaxis])[0] for origin in batch]
            yield from softmax_maps(values) if facts.output == "logits" else values

    return stitch(maps(), origins, (height, width), stride)


def softmax_maps(logits: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """Return the softmax over the channels of several float32 (h, w, 3); the channels of each are contiguous planes.

    It works by planes, in place and on several maps at once: NumPy is 15 times slower over an axis of 3, and
    allocating memory and each call cost as much as the arithmetic.
    """
    height, width = logits[0].shape[:2]
    planes = np.empty((3, len(logits), height, width), np.float32)
    for number, values in enumerate(logits):
        cv2.mixChannels([values], [plane[number] for plane in planes], [0, 0, 1, 1, 2, 2])
    flat = planes.reshape(3, -1, width)
    highest = cv2.max(cv2.max(flat[0], flat[1]), flat[2])
    for plane in flat:
        cv2.subtract(plane, highest, plane)
        cv2.exp(plane, plane)
    total = cv2.add(cv2.add(flat[0], flat[1], highest), flat[2], highest)
    for plane in flat:
        cv2.divide(plane, total, plane)
    return [planes[:, number].transpose(1, 2, 0) for number in range(len(logits))]
