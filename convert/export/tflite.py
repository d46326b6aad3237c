"""Converts a Keras model to TFLite at each level, always with a static batch of 1."""

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convert.export.flatbuffer import read_graph
from convert.quantization.fake_quantization import Ranges, with_quantized_input
from smear.bundle.levels import LEVEL_SPECS, Level
from smear.errors import ConversionError, first_line

if TYPE_CHECKING:  # importing Keras takes seconds
    import keras

CONVERTED: tuple[Level, ...] = tuple(spec.name for spec in LEVEL_SPECS if not spec.needs_delegate)
"""The levels the TFLite converter makes; `edgetpu` is compiled from `int8` by Coral's own compiler."""

CALIBRATED = frozenset({"int8", "int16x8"})
"""Levels whose activation ranges are measured on representative pictures."""

Tensors = Callable[[], Iterable[NDArray[np.float32]]]


def export(model: "keras.Model", folder: Path) -> None:
    """Write `model` to `folder` as a SavedModel whose only signature takes a batch of exactly 1.

    With a batch of -1 XNNPACK does not take the graph. `from_concrete_functions` cannot be used instead: with a
    Keras 3 model it writes a file without weights, and raises no error.
    """
    import tensorflow as tf

    signature = [tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)]
    model.export(str(folder), "tf_saved_model", verbose=False, input_signature=signature)


def convert(saved_model: Path, level: Level, representative: Tensors | None = None) -> bytes:
    """Return the TFLite file of the SavedModel folder `saved_model` at `level`.

    `representative` yields float32 (1, h, w, 3) inputs in 0..1; `CALIBRATED` levels need it.

    Raises:
        ConversionError: the level needs representative pictures, or the converter rejects the model.
    """
    import tensorflow as tf

    if level in CALIBRATED and representative is None:
        raise ConversionError(f"level {level} needs representative pictures; give the training data with --data")
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model))
    operations = tf.lite.OpsSet
    if level != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if level == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if level in CALIBRATED and representative is not None:
        converter.representative_dataset = lambda: ([tensor] for tensor in representative())
    if level == "int8":
        converter.target_spec.supported_ops = [operations.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    if level == "int16x8":  # its input and output stay float: the runtimes' int16 interface is not portable
        converter.target_spec.supported_ops = [operations.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8]
    return _run(converter, level)


def convert_with_ranges(model: "keras.Model", ranges: Ranges) -> bytes:
    """Return the int8 file of `model` with the given activation `ranges`, where `convert` would measure its own.

    Raises:
        ConversionError: the converter rejects the model, or leaves a part of it in float.
    """
    import tensorflow as tf

    with tempfile.TemporaryDirectory(prefix="smearscope-") as scratch:
        export(with_quantized_input(model, ranges), Path(scratch, "model"))
        converter = tf.lite.TFLiteConverter.from_saved_model(str(Path(scratch, "model")))
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        file = Path(scratch, "model.tflite")
        file.write_bytes(_run(converter, "int8"))
        for node in read_graph(file).nodes:
            if any(tensor.kind == "FLOAT32" for tensor in (*node.inputs, *node.outputs)):
                raise ConversionError(f"{model.name}: int8 leaves {node.operation} in float; replace that layer")
        return file.read_bytes()


def _run(converter: Any, level: Level) -> bytes:
    from tensorflow.lite.python.convert_phase import ConverterError  # TensorFlow exports it nowhere else

    try:
        return bytes(converter.convert())
    except (ConverterError, ValueError, RuntimeError) as error:
        reason = first_line(error)[:200]
        raise ConversionError(
            f"the TFLite converter rejected level {level}: {reason}; leave it out with --levels"
        ) from error


def convert_levels(model: "keras.Model", levels: Iterable[Level], representative: Tensors | None) -> dict[Level, bytes]:
    """Return the TFLite file of `model` at each of `levels`, from one SavedModel.

    Raises:
        ConversionError: as `convert`.
    """
    files: dict[Level, bytes] = {}
    with tempfile.TemporaryDirectory(prefix="smearscope-") as scratch:
        export(model, Path(scratch))
        for level in levels:
            files[level] = convert(Path(scratch), level, representative)
    return files
