"""Runs one TFLite file on many inputs in an environment that has only tflite-runtime; started by `parity`.

Usage: python tflite_subprocess.py MODEL.tflite INPUTS.npy OUTPUTS.npy. It must import nothing of Smearscope.
"""

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray


def main(model: str, inputs: str, outputs: str) -> None:
    """Write the float32 outputs (n, ...) of `model` for the float32 `inputs` (n, h, w, 3) to `outputs`."""
    from tflite_runtime.interpreter import Interpreter

    interpreter = Interpreter(model, num_threads=1)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    results = []
    for tensor in np.load(inputs):
        interpreter.set_tensor(source["index"], quantize(tensor[np.newaxis], source))
        interpreter.invoke()
        results.append(dequantize(interpreter.get_tensor(target["index"]), target)[0])
    np.save(outputs, np.stack(results))


def quantize(tensor: NDArray[np.float32], detail: dict[str, Any]) -> NDArray[Any]:
    """Return float32 `tensor` in the type the model takes."""
    if detail["dtype"] == np.float32:
        return tensor
    scale, zero = detail["quantization"]
    limits = np.iinfo(detail["dtype"])
    return np.asarray(np.clip(np.round(tensor / scale) + zero, limits.min, limits.max), detail["dtype"])


def dequantize(tensor: NDArray[Any], detail: dict[str, Any]) -> NDArray[np.float32]:
    """Return the model's output as float32."""
    if detail["dtype"] == np.float32:
        return tensor
    scale, zero = detail["quantization"]
    return np.asarray((tensor.astype(np.float32) - np.float32(zero)) * np.float32(scale))


if __name__ == "__main__":
    main(*sys.argv[1:4])
