"""Do the converted models answer as Keras does? Asked for each level and each runtime, on the same tensors."""

import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from smear.bundle.manifest import Role
from smear.errors import ConversionError, InferenceError, SmearscopeError
from smear.imaging.masking import NEUTRAL
from smear.imaging.resampling import as_tensor
from smear.inference.aggregation import pool
from smear.inference.runtime import Runtime

if TYPE_CHECKING:  # importing Keras takes seconds
    import keras

ELSEWHERE = "tflite-runtime"
ELSEWHERE_TIMEOUT_S = 3600  # int16x8 has reference kernels only: seconds a field on a small machine


@dataclass(frozen=True, slots=True)
class Difference:
    """How far one model file under one runtime is from the Keras model it came from."""

    role: Role
    level: str
    runtime: str
    agreement: float  # share with the same best channel: of pixels, of inputs, or of fields where cells are pooled
    max_difference: float  # largest absolute difference of any output
    mean_difference: float  # of all outputs, absolute
    n: int  # inputs compared
    fault: str = ""  # why nothing could be compared


Answerer = Callable[[Path], Sequence[np.ndarray]]
"""Runs a model file on the tensors that are compared, and returns its outputs in their order."""


class KerasRuntime:
    """`smear.inference.runtime.Runtime` over the Keras model itself: what every conversion is compared with."""

    name = "keras"

    def __init__(self, model: "keras.Model") -> None:
        import tensorflow as tf

        self.input_shape = (1, *model.input_shape[1:])
        self.output_shape = (1, *model.output_shape[1:])
        self._call = tf.function(lambda x: model(x, training=False))

    def invoke(self, tensor: np.ndarray) -> np.ndarray:
        """Return the float32 output for a uint8 picture, or a float32 input of any batch."""
        return np.asarray(self._call(as_tensor(tensor)), np.float32)

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
        self.seen.append(as_tensor(tensor).copy())
        return self.inner.invoke(tensor)

    def close(self) -> None:
        """Close the inner runtime."""
        self.inner.close()


def answers(model: Runtime, tensors: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return the output of `model` for each of `tensors`, float32 (1, h, w, 3)."""
    return [model.invoke(tensor) for tensor in tensors]


def here(open_model: Callable[[Path], Runtime], tensors: Sequence[np.ndarray]) -> Answerer:
    """Answer `tensors` with the runtime that `open_model` opens, in this process."""

    def answer(file: Path) -> Sequence[np.ndarray]:
        model = open_model(file)
        try:
            return answers(model, tensors)
        finally:
            model.close()

    return answer


@contextmanager
def elsewhere(python: Path, tensors: Sequence[np.ndarray]) -> Iterator[Answerer]:
    """Answer `tensors` with tflite-runtime in another environment, whose interpreter is `python`.

    tflite-runtime needs NumPy 1, so it cannot be installed beside what converts.
    """
    script = Path(__file__).with_name("tflite_subprocess.py")
    with tempfile.TemporaryDirectory(prefix="smearscope-") as scratch:
        asked, given = Path(scratch, "asked.npy"), Path(scratch, "given.npy")
        np.save(asked, np.concatenate(tensors))

        def answer(file: Path) -> Sequence[np.ndarray]:
            done = _ask(python, str(script), str(file), str(asked), str(given))
            if done.returncode != 0:
                told = done.stderr.strip() or f"it ended with code {done.returncode}"
                raise InferenceError(told.splitlines()[-1])
            return list(np.load(given)[:, np.newaxis])

        yield answer


def check_elsewhere(python: Path) -> None:
    """Fail before an hour of work, not after.

    Raises:
        ConversionError: `python` does not run, or has no tflite-runtime.
    """
    done = _ask(python, "-c", "import tflite_runtime.interpreter")
    if done.returncode != 0:
        told = (done.stderr.strip() or f"it ended with code {done.returncode}").splitlines()[-1]
        raise ConversionError(f"{python}: {told}; install tflite-runtime there, see requirements/tflite.txt")


def _ask(python: Path, *words: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [str(python), *words], capture_output=True, text=True, timeout=ELSEWHERE_TIMEOUT_S, check=False
        )
    except OSError as error:
        raise ConversionError(f"{python}: {error}; give the interpreter of a venv with tflite-runtime") from error
    except subprocess.TimeoutExpired as error:
        raise InferenceError(f"no answer within {ELSEWHERE_TIMEOUT_S} s") from error


def compare_files(
    role: Role,
    files: Iterable[tuple[str, Path]],
    runtime: str,
    answer: Answerer,
    expected: Sequence[np.ndarray],
    say: Sequence[float] | None = None,
    fields: Sequence[int] | None = None,
) -> list[Difference]:
    """Compare what `answer` gives for each (level, file) with `expected`; a file it cannot run is a finding."""
    found = []
    for level, file in files:
        try:
            given = answer(file)
        except (SmearscopeError, ValueError, RuntimeError) as error:
            why = (str(error).strip() or type(error).__name__).splitlines()[0]
            found.append(_nothing(role, level, runtime, why))
            continue
        found.append(compare(role, level, runtime, expected, given, say, fields))
    return found


def compare(
    role: Role,
    level: str,
    runtime: str,
    expected: Sequence[np.ndarray],
    given: Sequence[np.ndarray],
    say: Sequence[float] | None = None,
    fields: Sequence[int] | None = None,
) -> Difference:
    """Set the outputs of one model file under `runtime` against those of Keras for the same inputs.

    With `fields`, the field that each input belongs to, the answers of a field are pooled first, weighted by `say`
    (see `say_of`), as the device pools them: one cell may be a toss-up between two classes, and no single cell is
    ever labelled.
    """
    if not expected:
        return _nothing(role, level, runtime, "there was nothing to compare")
    gaps = [np.abs(theirs - ours) for theirs, ours in zip(expected, given, strict=True)]
    largest = max(float(gap.max()) for gap in gaps)
    if fields is None or say is None:
        same = [float((a.argmax(-1) == b.argmax(-1)).mean()) for a, b in zip(expected, given, strict=True)]
    else:
        pairs = zip(_best(expected, say, fields), _best(given, say, fields), strict=True)
        same = [float(theirs == ours) for theirs, ours in pairs]
    mean = float(np.mean([gap.mean() for gap in gaps]))
    if not all(np.isfinite(gap).all() for gap in gaps):
        largest = mean = float("inf")
    return Difference(role, level, runtime, float(np.mean(same)), largest, mean, len(expected))


def _nothing(role: Role, level: str, runtime: str, why: str) -> Difference:
    return Difference(role, level, runtime, 0.0, float("inf"), float("inf"), 0, why)


def say_of(tensor: np.ndarray) -> float:
    """Return the share of float (1, h, w, 3) `tensor` that is no neutral ground: how much of it a classifier judges."""
    return float((tensor < NEUTRAL / 255.0).any(axis=-1).mean())


def _best(outputs: Sequence[np.ndarray], say: Sequence[float], fields: Sequence[int]) -> list[int]:
    """Return the best class of each field; what a map says is its mean."""
    means = np.stack([output.reshape(-1, output.shape[-1]).mean(axis=0) for output in outputs])
    weights, owners = np.asarray(say), np.asarray(fields)
    return [int(pool(means[owners == field], weights[owners == field]).argmax()) for field in np.unique(owners)]
