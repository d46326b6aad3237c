"""Compares the outputs of converted models with those of Keras, for each level and each runtime, on the same inputs."""

import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from smear.bundle.manifest import Role
from smear.errors import ConversionError, InferenceError, SmearscopeError, first_line
from smear.imaging.resampling import as_tensor
from smear.inference.aggregation import pool
from smear.inference.runtime import Runtime

if TYPE_CHECKING:  # importing Keras takes seconds
    import keras

SUBPROCESS_TIMEOUT_S = 3600  # int16x8 has reference kernels only: seconds a field on a small machine

Inputs = Sequence[NDArray[np.float32]]
"""Inputs of one model, each float32 (1, h, w, 3) in 0..1."""
Outputs = Sequence[NDArray[np.float32]]
"""Outputs of one model, in the order of its inputs."""
RunModel = Callable[[Path], Outputs]
"""Runs a model file on the inputs that are compared."""


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


class KerasRuntime:
    """`smear.inference.runtime.Runtime` over the Keras model itself: what every conversion is compared with."""

    name = "keras"

    def __init__(self, model: "keras.Model") -> None:
        import tensorflow as tf

        self.input_shape = (1, *model.input_shape[1:])
        self.output_shape = (1, *model.output_shape[1:])
        self._call = tf.function(lambda x: model(x, training=False))

    def invoke(self, tensor: NDArray[np.generic]) -> NDArray[np.float32]:
        """Return the float32 output for a uint8 picture, or a float32 input of any batch."""
        return np.asarray(self._call(as_tensor(tensor)), np.float32)

    def close(self) -> None:
        """Do nothing: Python frees everything this holds."""


def outputs_of(model: Runtime, inputs: Inputs) -> list[NDArray[np.float32]]:
    """Return the output of `model` for each of `inputs`."""
    return [model.invoke(tensor) for tensor in inputs]


def in_process(open_model: Callable[[Path], Runtime], inputs: Inputs) -> RunModel:
    """Return what runs a model file on `inputs` in this process, with the runtime that `open_model` opens."""

    def run(file: Path) -> Outputs:
        model = open_model(file)
        try:
            return outputs_of(model, inputs)
        finally:
            model.close()

    return run


@contextmanager
def in_subprocess(python: Path, inputs: Inputs) -> Iterator[RunModel]:
    """Yield what runs a model file on `inputs` with tflite-runtime in another environment, by its interpreter `python`.

    tflite-runtime needs NumPy 1, so it cannot be installed beside TensorFlow.
    """
    script = Path(__file__).with_name("tflite_subprocess.py")
    with tempfile.TemporaryDirectory(prefix="smearscope-") as scratch:
        input_file, output_file = Path(scratch, "inputs.npy"), Path(scratch, "outputs.npy")
        np.save(input_file, np.concatenate(inputs))

        def run(file: Path) -> Outputs:
            done = _run_python(python, str(script), str(file), str(input_file), str(output_file))
            if done.returncode != 0:
                reason = done.stderr.strip() or f"it ended with code {done.returncode}"
                raise InferenceError(reason.splitlines()[-1])
            return list(np.load(output_file)[:, np.newaxis])

        yield run


def check_tflite_python(python: Path) -> None:
    """Check that the interpreter `python` has tflite-runtime, before an hour of work and not after it.

    Raises:
        ConversionError: it cannot be started, or has no tflite-runtime.
    """
    done = _run_python(python, "-c", "import tflite_runtime.interpreter")
    if done.returncode != 0:
        reason = (done.stderr.strip() or f"it ended with code {done.returncode}").splitlines()[-1]
        raise ConversionError(f"{python}: {reason}; install tflite-runtime there, see requirements/tflite.txt")


def _run_python(python: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [str(python), *arguments], capture_output=True, text=True, timeout=SUBPROCESS_TIMEOUT_S, check=False
        )
    except OSError as error:
        raise ConversionError(f"{python}: {error}; give the interpreter of a venv with tflite-runtime") from error
    except subprocess.TimeoutExpired as error:
        raise InferenceError(f"no answer within {SUBPROCESS_TIMEOUT_S} s") from error


def compare_files(
    role: Role,
    files: Iterable[tuple[str, Path]],
    runtime: str,
    run: RunModel,
    expected: Outputs,
    weights: Sequence[float] | None = None,
    fields: Sequence[int] | None = None,
) -> list[Difference]:
    """Compare the outputs that `run` gives for each (level, file) with `expected`.

    A file that does not run is a `Difference` with its fault. `weights` and `fields` are those of `compare`.
    """
    found = []
    for level, file in files:
        try:
            outputs = run(file)
        except (SmearscopeError, ValueError, RuntimeError) as error:
            found.append(_not_compared(role, level, runtime, first_line(error)))
            continue
        found.append(compare(role, level, runtime, expected, outputs, weights, fields))
    return found


def compare(
    role: Role,
    level: str,
    runtime: str,
    expected: Outputs,
    outputs: Outputs,
    weights: Sequence[float] | None = None,
    fields: Sequence[int] | None = None,
) -> Difference:
    """Compare the `outputs` of one model file under `runtime` with those `expected` of Keras for the same inputs.

    With `fields`, the index of the field that each input belongs to, the outputs of a field are pooled first, as the
    device pools them: a single cell may be undecided between two classes, and no single cell is ever labelled.
    `weights` are the share of cell in each input, see `smear.imaging.masking.cell_share`.
    """
    if not expected:
        return _not_compared(role, level, runtime, "there was nothing to compare")
    gaps = [np.abs(ours - theirs) for theirs, ours in zip(expected, outputs, strict=True)]
    largest = max(float(gap.max()) for gap in gaps)
    if fields is None or weights is None:
        same = [float((a.argmax(-1) == b.argmax(-1)).mean()) for a, b in zip(expected, outputs, strict=True)]
    else:
        pairs = zip(_best_classes(expected, weights, fields), _best_classes(outputs, weights, fields), strict=True)
        same = [float(theirs == ours) for theirs, ours in pairs]
    mean = float(np.mean([gap.mean() for gap in gaps]))
    if not all(np.isfinite(gap).all() for gap in gaps):
        largest = mean = float("inf")
    return Difference(role, level, runtime, float(np.mean(same)), largest, mean, len(expected))


def _not_compared(role: Role, level: str, runtime: str, reason: str) -> Difference:
    return Difference(role, level, runtime, 0.0, float("inf"), float("inf"), 0, reason)


def _best_classes(outputs: Outputs, weights: Sequence[float], fields: Sequence[int]) -> list[int]:
    """Return the best class of each field; a map counts by its mean."""
    means = np.stack([output.reshape(-1, output.shape[-1]).mean(axis=0) for output in outputs])
    shares, owners = np.asarray(weights), np.asarray(fields)
    return [int(pool(means[owners == field], shares[owners == field]).argmax()) for field in np.unique(owners)]
