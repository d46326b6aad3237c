"""What a loaded model is to the pipeline."""

from typing import Protocol

import numpy as np


class Runtime(Protocol):
    """One loaded model with a static batch of 1."""

    name: str  # "ai-edge-litert" or "tflite-runtime"
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]

    def invoke(self, tensor: np.ndarray) -> np.ndarray:
        """Return the float32 output for `tensor`, of `input_shape`; quantization happens inside.

        It is a uint8 picture, or the float32 tensor that `smear.imaging.resampling.to_tensor` would make of it.

        Raises:
            InferenceError: the model did not answer.
        """
        ...

    def close(self) -> None:
        """Free the interpreter."""
        ...
