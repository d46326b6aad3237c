"""Which pixels of a field are leukocyte: the segmenter on every tile, joined."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from smear.bundle.manifest import Segmenter
from smear.imaging.resampling import ModelFrame
from smear.imaging.tiling import stitch, tile, tile_origins, whole_strides
from smear.inference.runtime import Runtime
from smear.inference.verification import answer_stride

PLACES_AT_ONCE = 2**16  # of tiles that go through softmax together: what a processor's cache holds


def segment(frame: ModelFrame, model: Runtime, facts: Segmenter) -> np.ndarray:
    """Return float32 (h, w, 3), one place for each `stride` pixels: of background, cytoplasm and nucleus.

    Raises:
        InferenceError: the model did not answer.
    """
    size = model.input_shape[1]
    stride = answer_stride(model.input_shape, model.output_shape)
    pixels = whole_strides(frame.pixels, stride)
    height, width = pixels.shape[:2]
    origins = tile_origins(height, width, size, stride)
    at_once = max(1, PLACES_AT_ONCE // (size // stride) ** 2)

    def maps() -> Iterator[np.ndarray]:
        """Give one tile's map after the other, so that only a few are held."""
        for first in range(0, len(origins), at_once):
            batch = origins[first : first + at_once]
            values = [model.invoke(tile(pixels, origin, size)[np.newaxis])[0] for origin in batch]
            yield from _softmax(values) if facts.output == "logits" else values

    return stitch(maps(), origins, (height, width), stride)


def _softmax(logits: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Softmax over the channels of several float32 (h, w, 3), the planes of a result one after the other in memory.

    By planes, in place and several maps at once, since NumPy is 15 times slower over 3 values, and new memory and each
    call cost as much as the sums.
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
