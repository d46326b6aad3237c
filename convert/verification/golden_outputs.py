"""Golden inputs and outputs of a bundle: the outputs each file must reproduce, and the tolerance on other machines."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from smear.bundle.levels import Level, level_spec
from smear.bundle.manifest import Role
from smear.inference.tflite import open_runtime
from smear.inference.verification import INPUTS, answer

TOLERANCE: dict[Level, float] = {
    "float32": 0.002,
    "float16": 0.01,
    "dynamic": 0.05,
    "int8": 0.05,
    "int16x8": 0.02,
}
"""Share of the range of a model's golden outputs. Kernels round differently from one runtime and processor to the next;
a file with other weights differs by far more. Storing outputs as float16 alone costs 0.001 of their size."""


def golden_arrays(
    files: Mapping[Role, Mapping[Level, Path]], inputs: Mapping[Role, NDArray[np.uint8]], runtime: str
) -> dict[str, NDArray[np.generic]]:
    """Return the arrays of `golden.npz`: `inputs`, and the outputs of the model `files` under `runtime`."""
    arrays: dict[str, NDArray[np.generic]] = {INPUTS[role]: pictures for role, pictures in inputs.items()}
    for role, levels in files.items():
        for level, file in levels.items():
            if level_spec(level).needs_delegate:  # runs only on the accelerator
                continue
            model = open_runtime(file, runtime)
            outputs = answer(role, model, inputs[role])
            model.close()
            arrays[f"{role}.{level}"] = outputs.astype(np.float16)
            arrays[f"tolerance.{role}.{level}"] = np.array(TOLERANCE[level] * max(float(np.ptp(outputs)), 0.01))
    return arrays
