"""The golden file of a bundle whose classifier was changed: new outputs for the same inputs."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from smear.bundle.folder import Bundle
from smear.inference.tflite import open_runtime
from smear.inference.verification import INPUTS, answer, golden_bytes, read_golden

_LEAST_RANGE = 0.01


def renewed_golden(bundle: Bundle, classifiers: Mapping[str, bytes]) -> bytes:
    """Return the golden file of `bundle` with the outputs of other `classifiers`, by level.

    The tolerance of a level is the same share of the range of its outputs as before.
    """
    arrays = dict(read_golden(bundle))
    inputs = arrays[INPUTS["classifier"]]
    with tempfile.TemporaryDirectory(prefix="smearscope-") as folder:
        for level, data in classifiers.items():
            file = Path(folder, f"{level}.tflite")
            file.write_bytes(data)
            model = open_runtime(file)
            outputs = answer("classifier", model, inputs)
            model.close()
            name = f"classifier.{level}"
            share = float(arrays[f"tolerance.{name}"]) / max(float(np.ptp(arrays[name])), _LEAST_RANGE)
            arrays[name] = outputs.astype(np.float16)
            arrays[f"tolerance.{name}"] = np.array(share * max(float(np.ptp(outputs)), _LEAST_RANGE))
    return golden_bytes(arrays)
