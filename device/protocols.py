"""The four kinds of hardware the device stands on; everything else is functions."""

from typing import Protocol

import numpy as np

from smear.field import Frame


class Camera(Protocol):
    """A source of fields, opened by name with `device.cameras.open_camera`."""

    name: str  # as shown on the screen and stored in records
    simulated: bool  # True: the screen and every record say so

    def read(self, timeout_s: float) -> Frame:
        """Return the newest frame.

        Raises:
            CameraError: lost, or no frame within `timeout_s`.
            EndOfFramesError: a finite source is at its end.
            ImageError: one picture of a finite source cannot be read; the next call goes on with the next one.
        """
        ...

    def close(self) -> None:
        """Give the hardware back; safe to call twice."""
        ...


class Display(Protocol):
    """Something that shows composed screens, opened by name with `device.displays.open_display`."""

    size: tuple[int, int]  # width, height in pixels

    def show(self, screen: np.ndarray) -> None:
        """Show RGB uint8 (height, width, 3).

        Raises:
            DisplayError: the screen was lost.
        """
        ...

    def taps(self) -> list[tuple[int, int]]:
        """Return x, y of every tap or click since the last call.

        Raises:
            KeyboardInterrupt: the user closed the window or pressed Escape.
        """
        ...

    def close(self) -> None:
        """Give the screen back; safe to call twice."""
        ...


class Runtime(Protocol):
    """One loaded model with a static batch of 1."""

    name: str  # "ai-edge-litert" or "tflite-runtime"
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]

    def invoke(self, tensor: np.ndarray) -> np.ndarray:
        """Return the float32 output for `tensor`, of `input_shape`; quantization happens inside.

        It is a uint8 picture, or the float32 tensor that `smear.preprocess.to_tensor` would make of it.

        Raises:
            InferenceError: the model did not answer.
        """
        ...

    def close(self) -> None:
        """Free the interpreter."""
        ...


class Clock(Protocol):
    """Time, so that tests can turn it."""

    def monotonic_s(self) -> float:
        """Seconds since boot; never jumps."""
        ...

    def wall_s(self) -> float:
        """Unix time; may jump."""
        ...
