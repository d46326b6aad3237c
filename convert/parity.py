"""Do the converted models answer as Keras does? Asked for each level and each runtime, on the same tensors."""

import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from device.protocols import Runtime
from smear.bundle import Role
from smear.errors import ConversionError, SmearscopeError
from smear.verdict import pool

if TYPE_CHECKING:  # importing Keras takes seconds
    import keras

ELSEWHERE_TIMEOUT_S = 3600  # int16x8 has reference kernels only: seconds a field on a small machine


@dataclass(frozen=True, slots=True)
class Difference:
    """How far one model file under one runtime is from the Keras model it came from."""

    role: Role
    level: str
    runtime: str
    agreement: float  # share with the same best channel: of pixels, of inputs, or of fields where cells are pooled
    max_difference: float  # largest absolute difference of any output
    n: int  # inputs compared
    fault: str = ""  # why nothing could be compared


class KerasRuntime:
    """`device.protocols.Runtime` over the Keras model itself: what every conversion is compared with."""

    name = "keras"

    def __init__(self, model: "keras.Model") -> None:
        import tensorflow as tf

        self.input_shape = (1, *model.input_shape[1:])
        self.output_shape = (1, *model.output_shape[1:])
        self._call = tf.function(lambda x: model(x, training=False))

    def invoke(self, tensor: np.ndarray) -> np.ndarray:
        """Return the float32 output for a float32 input, of any batch."""
        return np.asarray(self._call(tensor), np.float32)

    def close(self) -> None:
        """Nothing is held that Python does not free."""


class Tap:
    """A runtime that keeps what it is given on the way to another: the exact tensors a pipeline makes."""

    def __init__(self, inner: Runtime) -> None:
        self.inner, self.name = inner, inner.name
        self.input_shape, self.output_shape = inner.input_shape, inner.output_shape
        self.seen: list[np.ndarray] = []

    def invoke(self, tensor: np.ndarray) -> np.ndarray:
        """Remember `tensor` and return the inner runtime's output."""
        self.seen.append(tensor.copy())
        return self.inner.invoke(tensor)

    def close(self) -> None:
        """Close the inner runtime."""
        self.inner.close()


def answers(model: Runtime, tensors: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return the output of `model` for each of `tensors`, float32 (1, h, w, 3)."""
    return [model.invoke(tensor) for tensor in tensors]


def compare(
    role: Role,
    level: str,
    runtime: str,
    expected: Sequence[np.ndarray],
    given: Sequence[np.ndarray],
    fields: Sequence[int] | None = None,
) -> Difference:
    """Set the outputs of one model file under `runtime` against those of Keras for the same inputs.

    With `fields`, the field that each input is a cell of, the answers of a field are pooled first, as the device
    pools them: one cell may be a toss-up between two classes, and no single cell is ever labelled.
    """
    if not expected:
        return Difference(role, level, runtime, 0.0, float("inf"), 0, "there was nothing to compare")
    same, largest = [], 0.0
    for theirs, ours in zip(expected, given, strict=True):
        same.append(float((theirs.argmax(-1) == ours.argmax(-1)).mean()))
        gap = float(np.abs(theirs - ours).max())
        largest = max(largest, gap if np.isfinite(gap) else float("inf"))
    if fields is not None:
        same = [float(a == b) for a, b in zip(_best(expected, fields), _best(given, fields), strict=True)]
    return Difference(role, level, runtime, float(np.mean(same)), largest, len(expected))


def _best(outputs: Sequence[np.ndarray], fields: Sequence[int]) -> list[int]:
    """Return the best class of each field, its cells weighing the same."""
    logits, owners = np.concatenate(outputs), np.asarray(fields)
    found = []
    for field in np.unique(owners):
        cells = logits[owners == field]
        found.append(int(pool(cells, np.ones(len(cells))).argmax()))
    return found


def compare_files(
    role: Role,
    files: Iterable[tuple[str, Path]],
    tensors: Sequence[np.ndarray],
    expected: Sequence[np.ndarray],
    open_model: Callable[[Path], Runtime],
    runtime: str,
    fields: Sequence[int] | None = None,
) -> list[Difference]:
    """Compare each (level, file) under `runtime`; a file it cannot run is a finding, not a failure."""
    found = []
    for level, file in files:
        try:
            model = open_model(file)
            given = answers(model, tensors)
        except (SmearscopeError, ValueError, RuntimeError) as error:
            why = (str(error).strip() or type(error).__name__).splitlines()[0]
            found.append(Difference(role, level, runtime, 0.0, float("inf"), 0, why))
            continue
        model.close()
        found.append(compare(role, level, runtime, expected, given, fields))
    return found


def compare_elsewhere(
    role: Role,
    files: Sequence[tuple[str, Path]],
    tensors: Sequence[np.ndarray],
    expected: Sequence[np.ndarray],
    python: Path,
    fields: Sequence[int] | None = None,
) -> list[Difference]:
    """Compare each (level, file) under tflite-runtime in another environment, whose interpreter is `python`.

    tflite-runtime needs NumPy 1, so it cannot be installed beside what converts.

    Raises:
        ConversionError: `python` does not run, or has no tflite-runtime.
    """
    found = []
    with tempfile.TemporaryDirectory(prefix="smearscope-") as scratch:
        asked, given = Path(scratch, "asked.npy"), Path(scratch, "given.npy")
        np.save(asked, np.concatenate(tensors))
        for level, file in files:
            command = [str(python), str(Path(__file__).with_name("answer.py")), str(file), str(asked), str(given)]
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=ELSEWHERE_TIMEOUT_S, check=False)
            except (OSError, subprocess.TimeoutExpired) as error:
                raise ConversionError(
                    f"{python}: {error}; give the interpreter of a venv with tflite-runtime"
                ) from error
            if "No module named" in done.stderr:
                raise ConversionError(f"{python}: {done.stderr.strip().splitlines()[-1]}; install tflite-runtime there")
            if done.returncode != 0:
                why = (done.stderr.strip() or f"it ended with code {done.returncode}").splitlines()[-1]
                found.append(Difference(role, level, "tflite-runtime", 0.0, float("inf"), 0, why))
                continue
            found.append(compare(role, level, "tflite-runtime", expected, list(np.load(given)[:, np.newaxis]), fields))
    return found
