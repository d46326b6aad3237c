"""What a loaded model is to the pipeline, and what each inference runtime declares about itself."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Protocol

import numpy as np

from smear.errors import RuntimeUnavailableError
from smear.imaging.resampling import as_tensor
from smear.registry import Spec


class Runtime(Protocol):
    """One loaded model with a static batch of 1."""

    name: str  # of the runtime that runs it, as stored in records
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]

    def invoke(self, tensor: np.ndarray) -> np.ndarray:
        """Return the float32 output for `tensor`, of `input_shape`; quantization happens inside.

        `tensor` is a uint8 picture, or the float32 tensor that `smear.imaging.resampling.to_tensor` makes of it.

        Raises:
            InferenceError: the model failed.
        """
        ...

    def close(self) -> None:
        """Free the interpreter."""
        ...


MAX_ANSWER = 1e6  # the shipped models stay below 100; sums and exponentials of larger ones mean nothing in float32


class CheckedModel:
    """A model whose every answer is looked at before anything is computed from it."""

    def __init__(self, model: Runtime) -> None:
        self._model = model
        self.name, self.input_shape, self.output_shape = model.name, model.input_shape, model.output_shape
        self.valid = True  # every value since `begin` was finite and no larger than `MAX_ANSWER`

    def begin(self) -> None:
        """Forget what was answered before: another field comes."""
        self.valid = True

    def invoke(self, tensor: np.ndarray) -> np.ndarray:
        """Return the model's answer; see `Runtime`."""
        answer = self._model.invoke(tensor)
        # Both are no number where any value is none; after softmax, an infinite logit would be a sound number.
        self.valid = bool(self.valid and answer.min() >= -MAX_ANSWER and answer.max() <= MAX_ANSWER)
        return answer

    def close(self) -> None:
        """Free the interpreter."""
        self._model.close()


class RecordingRuntime:
    """Keeps every input on its way to another runtime: the exact tensors that a pipeline makes."""

    def __init__(self, inner: Runtime) -> None:
        self._inner, self.name = inner, inner.name
        self.input_shape, self.output_shape = inner.input_shape, inner.output_shape
        self.inputs: list[np.ndarray] = []  # float32 (1, h, w, 3) in 0..1

    def invoke(self, tensor: np.ndarray) -> np.ndarray:
        """Keep a copy of `tensor` and return the inner runtime's output."""
        self.inputs.append(as_tensor(tensor).copy())
        return self._inner.invoke(tensor)

    def close(self) -> None:
        """Close the inner runtime."""
        self._inner.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeKind(Spec):
    """One inference runtime: the module it needs, and how it loads a model."""

    # Content of a model file, its name for messages, threads, library of a delegate. Not a path: what was compared with
    # its checksum is what is loaded.
    open: Callable[[bytes, str, int, str | None], Runtime]
    module: str = ""  # imported only when the runtime is used; empty: it needs none of its own
    extra: str = ""  # of smearscope, which installs the module

    @property
    def advice(self) -> str:
        """How to install it."""
        return f"pip install 'smearscope[{self.extra}]'" if self.extra else f"install the Python module {self.module}"

    def is_installed(self) -> bool:
        """Return whether its module can be found, without importing it."""
        return not self.module or find_spec(self.module.split(".")[0]) is not None

    def load(self) -> ModuleType:
        """Import its module.

        Raises:
            RuntimeUnavailableError: it is not installed here.
        """
        try:
            return import_module(self.module)
        except ImportError as error:
            raise RuntimeUnavailableError(f"runtime {self.name} is not installed ({error}); {self.advice}") from error
