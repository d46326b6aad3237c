"""TFLite models by path and runtime name; quantization happens here and nowhere else on the device."""

import ctypes
import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from smear.errors import BundleError, InferenceError, RuntimeUnavailableError
from smear.imaging.resampling import to_tensor
from smear.inference.runtime import Runtime

RUNTIMES = {
    "ai-edge-litert": ("ai_edge_litert.interpreter", "device"),
    "tflite-runtime": ("tflite_runtime.interpreter", "tflite"),
}
"""Runtime name -> (module, the extra that installs it)."""
DEFAULT_RUNTIME = "ai-edge-litert"


def open_runtime(path: Path, runtime: str | None = None, threads: int = 1, delegate: str | None = None) -> Runtime:
    """Load the model at `path` with the named runtime (None: ai-edge-litert).

    `delegate` is a shared library such as libedgetpu.so.1.

    Raises:
        BundleError: the file is no TFLite model or a damaged one.
        RuntimeUnavailableError: the runtime or delegate is not installed.
    """
    name = runtime or DEFAULT_RUNTIME
    if name not in RUNTIMES:
        raise RuntimeUnavailableError(f"no runtime is called {name!r}; choose one of {', '.join(RUNTIMES)}")
    module_name, extra = RUNTIMES[name]
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise RuntimeUnavailableError(
            f"runtime {name} is not installed ({error}); pip install 'smearscope[{extra}]'"
        ) from error
    return TFLiteModel(name, module, path, threads, delegate)


class TFLiteModel:
    """One interpreter with a static batch of 1, float32 in and out whatever it holds."""

    def __init__(self, name: str, module: Any, path: Path, threads: int, delegate: str | None) -> None:
        self.name = name
        self._path = path
        content = _checked(path)
        delegates = [_load_delegate(module, delegate)] if delegate else []
        try:
            with _quiet():
                self._interpreter = module.Interpreter(
                    model_content=content, num_threads=threads, experimental_delegates=delegates
                )
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise BundleError(f"{path}: {name} cannot load it ({_short(error)}); install the bundle again") from error
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]
        self.input_shape: tuple[int, ...] = tuple(int(n) for n in self._input["shape"])
        self.output_shape: tuple[int, ...] = tuple(int(n) for n in self._output["shape"])
        # A byte has 256 values and so has its tensor: one look-up instead of dividing, scaling, rounding and clipping.
        every = np.arange(256, dtype=np.uint8)
        self._of_pixel = _quantized(to_tensor(every)[0], self._input)
        # Where the look-up only turns the sign bit, as it does for pictures in 0..1, that is done eight times as fast.
        self._turns_sign = np.array_equal(self._of_pixel, (every ^ 128).view(np.int8))
        self._of_answer = _dequantized(every.view(np.int8), self._output) if self._output["dtype"] == np.int8 else None

    def invoke(self, tensor: np.ndarray) -> np.ndarray:
        """Return the float32 output for a uint8 picture or float32 tensor of `input_shape`."""
        if tensor.shape != self.input_shape:
            raise InferenceError(f"{self._path.name} takes {self.input_shape}, not {tensor.shape}; check the bundle")
        try:
            self._give(tensor)
            self._interpreter.invoke()
            return self._answer()
        except (ValueError, RuntimeError) as error:
            raise InferenceError(
                f"{self._path.name} did not answer with {self.name} ({_short(error)}); choose another runtime or level"
            ) from error

    def _give(self, tensor: np.ndarray) -> None:
        """Write the input where the interpreter reads it; no view of its memory may outlive this call."""
        memory = self._interpreter.tensor(self._input["index"])()
        if tensor.dtype != np.uint8:
            memory[...] = _quantized(tensor, self._input)
        elif self._turns_sign:
            np.bitwise_xor(tensor, np.uint8(128), out=memory.view(np.uint8))
        else:
            memory[0] = cv2.LUT(tensor[0], self._of_pixel)

    def _answer(self) -> np.ndarray:
        memory = self._interpreter.tensor(self._output["index"])()
        if self._of_answer is None or memory.ndim != 4:
            return _dequantized(memory, self._output)
        return np.asarray(cv2.LUT(memory[0].view(np.uint8), self._of_answer))[np.newaxis]

    def close(self) -> None:
        """Free the interpreter."""
        self._interpreter = None


def _checked(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror}); install the bundle again") from error
    if content[4:8] != b"TFL3":  # the identifier of the flatbuffer schema; a wild file can crash the interpreter
        raise BundleError(f"{path}: not a TFLite model; install the bundle again")
    return content


def _load_delegate(module: Any, delegate: str) -> Any:
    try:
        # Looked at first: the runtime's own object, half made, complains on stderr when it is thrown away.
        if not hasattr(ctypes.CDLL(delegate), "tflite_plugin_create_delegate"):
            raise ValueError("it is no TFLite delegate")
        return module.load_delegate(delegate)
    except (ValueError, OSError) as error:
        raise RuntimeUnavailableError(
            f"delegate {delegate} cannot be loaded ({error}); plug the accelerator in and install its library, "
            "or set model.level to int8"
        ) from error


def _quantized(tensor: np.ndarray, details: Any) -> np.ndarray:
    wanted = details["dtype"]
    if wanted == np.float32:
        return tensor
    scale, zero = details["quantization"]
    limits = np.iinfo(wanted)
    return np.asarray(np.clip(np.rint(tensor / scale + zero), limits.min, limits.max), wanted)


def _dequantized(values: np.ndarray, details: Any) -> np.ndarray:
    if details["dtype"] == np.float32:
        return values.copy()
    scale, zero = details["quantization"]
    return (values.astype(np.float32) - np.float32(zero)) * np.float32(scale)


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the runtime's own start-up lines ("Created TensorFlow Lite XNNPACK delegate") off stderr."""
    sys.stderr.flush()
    kept = os.dup(2)
    silent = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(silent, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(silent)
