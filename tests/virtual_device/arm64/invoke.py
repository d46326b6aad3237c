"""Invoke one model so many times on noise, and print where the libraries lie. usage: invoke.py MODEL TIMES"""

import sys
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter


def main(model: str, times: str) -> None:
    interpreter = Interpreter(model_path=model, num_threads=1)
    interpreter.allocate_tensors()
    given = interpreter.get_input_details()[0]
    picture = (np.random.default_rng(0).random(given["shape"]) * 255).astype(np.uint8)
    tensor = (picture / 255).astype(np.float32) if given["dtype"] == np.float32 else (picture ^ 128).view(np.int8)
    interpreter.set_tensor(given["index"], tensor)
    sys.stdout.write(Path("/proc/self/maps").read_text(encoding="ascii"))
    for _ in range(int(times)):
        interpreter.invoke()


if __name__ == "__main__":
    main(*sys.argv[1:])
