"""Which pixels of a field are leukocyte: the segmenter on every tile, joined."""

from collections.abc import Iterator

import cv2
import numpy as np

from device.golden import answer_stride
from device.protocols import Runtime
from smear.bundle import Segmenter
from smear.preprocess import ModelFrame, stitch, tile, tile_origins, whole_strides


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

    def maps() -> Iterator[np.ndarray]:
        """Give one tile's map after the other, so that only one is held."""
        for origin in origins:
            values = model.invoke(tile(pixels, origin, size)[np.newaxis])[0]
            yield _softmax(values) if facts.output == "logits" else values

    return stitch(maps(), origins, (height, width), stride)


def _softmax(logits: np.ndarray) -> np.ndarray:
    """Softmax over the channels of float32 (h, w, 3), the planes of the result one after the other in memory.

    By planes and in place, since NumPy is 15 times slower over 3 values and new memory costs as much as the sums.
    """
    planes = np.empty((3, *logits.shape[:2]), np.float32)
    cv2.mixChannels([logits], list(planes), [0, 0, 1, 1, 2, 2])
    highest = cv2.max(cv2.max(planes[0], planes[1]), planes[2])
    for plane in planes:
        cv2.subtract(plane, highest, plane)
        cv2.exp(plane, plane)
    total = cv2.add(cv2.add(planes[0], planes[1]), planes[2])
    for plane in planes:
        cv2.divide(plane, total, plane)
    return planes.transpose(1, 2, 0)
