"""Exports a Keras model to ONNX and checks the file, for runtimes other than TFLite."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from smear.bundle.manifest import Role
from smear.errors import ConversionError
from smear.imaging.resampling import as_tensor

if TYPE_CHECKING:  # importing Keras takes seconds
    import keras

OPSET = 18  # the newest that tf2onnx writes


def export_onnx(model: "keras.Model", out: Path) -> None:
    """Write `model` to the ONNX file `out`, with a batch of 1, and run the ONNX checker on it.

    Raises:
        ConversionError: tf2onnx or the checker rejects it.
    """
    import onnx
    import tensorflow as tf
    import tf2onnx

    signature = [tf.TensorSpec((1, *model.input_shape[1:]), tf.float32, name="input")]
    function = tf.function(lambda x: model(x, training=False), input_signature=signature)
    try:
        tf2onnx.convert.from_function(function, input_signature=signature, opset=OPSET, output_path=str(out))
        onnx.checker.check_model(str(out), full_check=True)
    except (ValueError, RuntimeError, onnx.checker.ValidationError) as error:
        raise ConversionError(f"{out.name}: cannot be written as ONNX ({error}); leave out --onnx") from error


def export_pair(models: Mapping[Role, "keras.Model"], out: Path, report: Callable[[str], object]) -> dict[Role, Path]:
    """Write `models` as ONNX files beside the bundle `out`, each announced by `report`; return the files.

    Raises:
        ConversionError: see `export_onnx`.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    files = {role: out.with_name(f"{out.name}.{role}.onnx") for role in models}
    for role, file in files.items():
        report(f"writing {file.name}")
        export_onnx(models[role], file)
    return files


class OnnxRuntime:
    """`smear.inference.runtime.Runtime` over onnxruntime, on one thread."""

    name = "onnxruntime"

    def __init__(self, file: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0]
        self.input_shape = tuple(self._input.shape)
        self.output_shape = tuple(self._session.get_outputs()[0].shape)

    def invoke(self, tensor: NDArray[np.generic]) -> NDArray[np.float32]:
        """Return the float32 output for a uint8 picture or float32 tensor."""
        return np.asarray(self._session.run(None, {self._input.name: as_tensor(tensor)})[0])

    def close(self) -> None:
        """Do nothing: Python frees everything this holds."""
