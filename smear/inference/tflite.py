"""TFLite models by content and runtime name; quantization happens here and nowhere else."""

import ctypes
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from smear.bundle.files import FileFault, read_file
from smear.errors import BundleError, InferenceError, RuntimeUnavailableError
from smear.imaging.resampling import to_tensor
from smear.inference.runtime import Runtime, RuntimeKind
from smear.registry import Registry

IDENTIFIER = b"TFL3"  # of the flatbuffer schema, at byte 4; any other file can crash the interpreter


def choose_runtime(name: str | None = None) -> RuntimeKind:
    """Return the runtime called `name`; None or "auto": the first of `AUTOMATIC` that is installed.

    Raises:
        RuntimeUnavailableError: there is no such runtime, or none is installed.
    """
    if name not in (None, AUTO.name):
        return RUNTIMES.find(name)
    failures = []
    for kind in AUTOMATIC:
        try:
            kind.load()
        except RuntimeUnavailableError as error:
            failures.append(str(error))
        else:
            return kind
    raise RuntimeUnavailableError(f"no inference runtime can be used: {', and '.join(failures)}")


def open_runtime(path: Path, runtime: str | None = None, threads: int = 1, delegate: str | None = None) -> Runtime:
    """Load the model file at `path`, which is in no bundle yet, with the runtime that `choose_runtime` returns.

    `delegate` is a shared library such as libedgetpu.so.1.

    Raises:
        BundleError: the file is not a TFLite model, or is damaged.
        RuntimeUnavailableError: the runtime or the delegate is not installed.
    """
    try:
        content = read_file(path)
    except FileFault as error:
        raise BundleError(f"{path}: {error}; install the bundle again") from error
    return choose_runtime(runtime).open(content, str(path), threads, delegate)


class TFLiteModel:
    """One interpreter with a static batch of 1, float32 in and out whatever it holds.

    Several outputs of one size, such as a map of logits and one of features, are joined along their channels.
    """

    def __init__(
        self, kind: RuntimeKind, content: bytes, model: str, threads: int = 1, delegate: str | None = None
    ) -> None:
        """Load the model file with this `content`; `model` is its name, for messages. See `open_runtime`.

        The runtime writes a line of its own to stderr, once in a process. It offers no way to stop that, and
        redirecting stderr meanwhile would swallow what other threads log.
        """
        self.name = kind.name
        self._model = model
        if content[4:8] != IDENTIFIER:
            raise BundleError(f"{model}: not a TFLite model; install the bundle again")
        module: Any = kind.load()
        delegates = [_load_delegate(module, delegate)] if delegate else []
        try:
            self._interpreter = module.Interpreter(
                model_content=content, num_threads=threads, experimental_delegates=delegates
            )
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise BundleError(
                f"{model}: {self.name} cannot load it ({_short(error)}); install the bundle again"
            ) from error
        self._input = self._interpreter.get_input_details()[0]
        self._output, *self._extra_outputs = self._interpreter.get_output_details()
        self.input_shape: tuple[int, ...] = tuple(int(n) for n in self._input["shape"])
        self.output_shape = _joined_shape([self._output, *self._extra_outputs])
        # A byte has 256 values, and so has its tensor: a look-up table replaces dividing, scaling, rounding, clipping.
        every = np.arange(256, dtype=np.uint8)
        self._pixel_table = _quantized(to_tensor(every)[0], self._input)
        # Where the table only flips the sign bit, as it does for pictures in 0..1, doing just that is 8 times as fast.
        self._flips_sign_bit = np.array_equal(self._pixel_table, (every ^ 128).view(np.int8))

    def invoke(self, tensor: np.ndarray) -> np.ndarray:
        """Return the float32 output for a uint8 picture or float32 tensor of `input_shape`."""
        if tensor.shape != self.input_shape:
            raise InferenceError(f"{self._model} takes {self.input_shape}, not {tensor.shape}; check the bundle")
        try:
            self._write_input(tensor)
            self._interpreter.invoke()
            first = self._read_output(self._output)
            if not self._extra_outputs:
                return first
            return np.concatenate([first, *map(self._read_output, self._extra_outputs)], axis=-1)
        except (ValueError, RuntimeError) as error:
            raise InferenceError(
                f"{self._model} failed with {self.name} ({_short(error)}); choose another runtime or level"
            ) from error

    def _write_input(self, tensor: np.ndarray) -> None:
        """Write the input where the interpreter reads it; no view of its memory may outlive this call."""
        memory = self._interpreter.tensor(self._input["index"])()
        if tensor.dtype != np.uint8:
            memory[...] = _quantized(tensor, self._input)
        elif self._flips_sign_bit:
            np.bitwise_xor(tensor, np.uint8(128), out=memory.view(np.uint8))
        else:
            memory[0] = cv2.LUT(tensor[0], self._pixel_table)

    def _read_output(self, details: Any) -> np.ndarray:
        return _dequantized(self._interpreter.tensor(details["index"])(), details)

    def close(self) -> None:
        """Free the interpreter."""
        self._interpreter = None


def _joined_shape(outputs: list[Any]) -> tuple[int, ...]:
    shapes = [tuple(int(n) for n in details["shape"]) for details in outputs]
    return (*shapes[0][:-1], sum(shape[-1] for shape in shapes))


def _load_delegate(module: Any, delegate: str) -> Any:
    try:
        # Checked first: the runtime's own object, half initialised, complains on stderr when it is deleted.
        if not hasattr(ctypes.CDLL(delegate), "tflite_plugin_create_delegate"):
            raise ValueError("it is not a TFLite delegate")
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
    answer = values.astype(np.float32)
    if details["dtype"] != np.float32:
        scale, zero = details["quantization"]
        answer -= np.float32(zero)
        answer *= np.float32(scale)
    return answer


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


AI_EDGE_LITERT: RuntimeKind = RuntimeKind(
    name="ai-edge-litert",
    help="Google's present TFLite runtime",
    module="ai_edge_litert.interpreter",
    extra="device",
    open=lambda content, name, threads, delegate: TFLiteModel(AI_EDGE_LITERT, content, name, threads, delegate),
)
TFLITE_RUNTIME: RuntimeKind = RuntimeKind(
    name="tflite-runtime",
    help="the older TFLite runtime, for Python 3.11 and NumPy 1",
    module="tflite_runtime.interpreter",
    extra="tflite",
    open=lambda content, name, threads, delegate: TFLiteModel(TFLITE_RUNTIME, content, name, threads, delegate),
)
AUTOMATIC = (AI_EDGE_LITERT, TFLITE_RUNTIME)
AUTO = RuntimeKind(
    name="auto",
    help=f"the first of {' and '.join(kind.name for kind in AUTOMATIC)} that is installed",
    open=lambda content, name, threads, delegate: choose_runtime().open(content, name, threads, delegate),
)
RUNTIMES = Registry(
    "smearscope.runtimes", RuntimeKind, (AUTO, *AUTOMATIC), what="runtime", error=RuntimeUnavailableError
)
