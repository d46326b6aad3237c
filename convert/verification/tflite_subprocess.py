"""Run one TFLite file on many inputs, in an environment that has only tflite-runtime; `parity` starts it.

Usage: python tflite_subprocess.py MODEL.tflite INPUTS.npy OUTPUTS.npy. It must import nothing of Smearscope.
"""

import sys
from typing import Any

import numpy as np


def main(model: str, inputs: str, outputs: str) -> None:
    """Write the float32 outputs (n, ...) of `model` for the float32 `inputs` (n, h, w, 3) to `outputs`."""
    from tflite_runtime.interpreter import Interpreter

    interpreter = Interpreter(model, num_threads=1)
    interpreter.allocate_tensors()
    taken, given = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    answers = []
    for tensor in np.load(inputs):
        interpreter.set_tensor(taken["index"], quantize(tensor[np.newaxis], taken))
        interpreter.invoke()
        answers.append(dequantize(interpreter.get_tensor(given["index"]), given)[0])
    np.save(outputs, np.stack(answers))


def quantize(tensor: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    """Return float32 `tensor` in the type the model takes."""
    if detail["dtype"] == np.float32:
        return tensor
    scale, zero = detail["quantization"]
    limits = np.iinfo(detail["dtype"])
    return np.asarray(np.clip(np.round(tensor / scale) + zero, limits.min, limits.max), detail["dtype"])


def dequantize(tensor: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    """Return what the model gave as float32."""
    if detail["dtype"] == np.float32:
        return tensor
    scale, zero = detail["quantization"]
    return np.asarray((tensor.astype(np.float32) - np.float32(zero)) * np.float32(scale))


if __name__ == "__main__":
    main(*sys.argv[1:4])
