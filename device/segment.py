"""Which pixels of a field are leukocyte: the segmenter on every tile, joined."""

from collections.abc import Iterator

import cv2
import numpy as np

from device.protocols import Runtime
from smear.bundle import Segmenter
from smear.preprocess import ModelFrame, stitch, tile, tile_origins

_MOST = 80.0  # of the difference of two logits: its exponential and the sum of two are finite in float32


def segment(frame: ModelFrame, model: Runtime, facts: Segmenter) -> np.ndarray:
    """Return float32 (h, w, 3) at model scale: the probability of background, cytoplasm and nucleus.

    Raises:
        InferenceError: the model did not answer.
    """
    height, width = frame.pixels.shape[:2]
    size = model.input_shape[1]
    origins = tile_origins(height, width, size)

    def maps() -> Iterator[np.ndarray]:
        """Give one tile's map after the other, so that only one is held."""
        for origin in origins:
            values = model.invoke(tile(frame.pixels, origin, size)[np.newaxis])[0]
            yield _softmax(values) if facts.output == "logits" else values

    return stitch(maps(), origins, (height, width))


def _softmax(logits: np.ndarray) -> np.ndarray:
    """Softmax over the channels of float32 (h, w, 3), the planes of the result one after the other in memory.

    By planes and in place, since NumPy is 15 times slower over 3 values and new memory costs as much as the sums.
    """
    planes = np.empty((3, *logits.shape[:2]), np.float32)
    cv2.mixChannels([logits], list(planes), [0, 0, 1, 1, 2, 2])
    ground, first, second = planes
    for plane in (first, second):  # how much more likely than ground
        cv2.subtract(plane, ground, plane)
        np.minimum(plane, np.float32(_MOST), out=plane)
        cv2.exp(plane, plane)
    cv2.add(first, second, ground)
    ground += np.float32(1.0)
    np.divide(np.float32(1.0), ground, out=ground)
    for plane in (first, second):
        cv2.multiply(plane, ground, plane)
    return planes.transpose(1, 2, 0)
