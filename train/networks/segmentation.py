"""How a Keras segmenter answers for a frame of any size: tile by tile, as on the device."""

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

from smear.imaging.contours import log_odds, log_odds_planes
from smear.imaging.resampling import ModelFrame, to_frame_scale, to_tensor
from smear.imaging.tiling import stitch, tile, tile_origins, whole_strides
from smear.metrics import softmax
from train.data.sampling.crops import Segment


def gives_probabilities(model: keras.Model) -> bool:
    """Return whether the last layer of `model` is a softmax; else it gives logits."""
    last = model.layers[-1]
    return isinstance(last, keras.layers.Softmax) or getattr(last, "activation", None) is keras.activations.softmax


def segment_with(model: keras.Model) -> Segment:
    """Return a function from a frame to the probabilities that `model` gives: float32 (h, w, 3) on the model's grid."""
    stride = model.input_shape[1] // model.output_shape[1]

    def segment(view: ModelFrame) -> NDArray[np.float32]:
        pixels = whole_strides(view.pixels, stride)
        height, width = pixels.shape[:2]
        origins = tile_origins(height, width, stride=stride)
        tensors = np.concatenate([to_tensor(tile(pixels, origin)) for origin in origins])
        return stitch(list(_on_grid(model, tensors)), origins, (height, width), stride)

    return segment


def probabilities_of(model: keras.Model, tensors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return probabilities (n, h, w, 3) interpolated to the size of `tensors`, float (n, h, w, 3)."""
    maps = _on_grid(model, tensors)
    return np.stack([cv2.resize(one, tensors.shape[2:0:-1], interpolation=cv2.INTER_LINEAR) for one in maps])


def _on_grid(model: keras.Model, tensors: NDArray[np.float32]) -> NDArray[np.float32]:
    out = np.asarray(model.predict_on_batch(tensors), np.float32)
    return out if gives_probabilities(model) else softmax(out)


def masks_in_frame(probabilities: NDArray[np.float32], view: ModelFrame) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the masks of cells and of their nuclei, bool (H, W) of the frame, from a segmenter's float (h, w, 3)."""
    background, lean = log_odds_planes(probabilities)
    odds, lean = (to_frame_scale(plane[..., np.newaxis], view)[..., 0] for plane in (log_odds(background), lean))
    return odds < 0, (odds < 0) & (lean >= 0)
