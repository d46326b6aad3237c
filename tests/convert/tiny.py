"""The smallest training run that can be converted: a segmenter that finds violet, and a random classifier."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from smear.bundle.folder import Bundle
from smear.bundle.levels import Level
from smear.bundle.manifest import Role
from smear.classes import LABELS
from smear.images import write_image

if TYPE_CHECKING:
    import keras

CROP = 48
FIELDS = {"train": 8, "validation": 8}


def segmenter(size: int = 224) -> "keras.Model":
    """A 1x1 convolution: what holds little red is nucleus, a bit more is cytoplasm."""
    import keras

    inputs = keras.Input((size, size, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(3, 1)(inputs))
    kernel = np.zeros((1, 1, 3, 3), np.float32)
    kernel[0, 0, 0] = (0.0, -15.0, -30.0)
    model.layers[-1].set_weights([kernel, np.array((0.0, 9.0, 16.5), np.float32)])
    return model


def classifier(size: int = CROP, outputs: int = len(LABELS)) -> "keras.Model":
    """One convolution with fixed random weights, averaged, and one dense layer."""
    import keras

    keras.utils.set_random_seed(7)
    inputs = keras.Input((size, size, 3))
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(outputs)(x))


def map_classifier(size: int = 224, outputs: int = len(LABELS) + 1) -> "keras.Model":
    """As `classifier`, with an answer for each 16 pixels, as for an input of all cells of a field."""
    import keras

    keras.utils.set_random_seed(7)
    inputs = keras.Input((size, size, 3))
    x = keras.layers.Conv2D(8, 16, strides=16, activation="relu")(inputs)
    return keras.Model(inputs, keras.layers.Conv2D(outputs, 1)(x))


def run_facts() -> dict[str, Any]:
    """`run.json` of `make_run`."""
    figure = {"value": 0.9, "split": "validation", "n": 8, "low": 0.8, "high": 0.95, "background_only": 0.7}
    return {
        "segmenter": {"name": "tiny_segmenter", "output": "logits", "figures": {"dice": {**figure, "split": "drawn"}}},
        "classifier": {
            "name": "tiny_classifier",
            "shown": "crops",
            "input_size": CROP,
            "output": "logits",
            "temperature": 1.5,
            "abstain_below": 0.2,
            "ood_above": None,
            "figures": {"accuracy": figure},
        },
        "input": {"size": 224, "pixel_size_um": 0.5},
        "training_data": {
            "fingerprint": "0" * 64,
            "n": FIELDS["train"],
            "split": "synthetic",
            "sources": ["synthetic"],
        },
        "train_images": [f"train/{LABELS[i % 4]}/{i}.png" for i in range(FIELDS["train"])],
        "validation_images": [
            {"path": f"validation/{LABELS[i % 4]}/{i}.png", "label": LABELS[i % 4]} for i in range(FIELDS["validation"])
        ],
        "seed": 3,
    }


def make_run(folder: Path, facts: dict[str, Any] | None = None) -> Path:
    """Write a run folder."""
    folder.mkdir(parents=True, exist_ok=True)
    segmenter().save(folder / "segmenter.keras")
    classifier().save(folder / "classifier.keras")
    (folder / "run.json").write_text(json.dumps(facts or run_facts()), encoding="utf-8")
    return folder


def make_data(folder: Path) -> Path:
    """Write the synthetic pictures that `run_facts` names."""
    from smear.synthetic import render

    for split, (start, count) in {"train": (0, FIELDS["train"]), "validation": (100, FIELDS["validation"])}.items():
        for i in range(count):
            label = LABELS[i % 4]
            file = folder / split / label / f"{i}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            write_image(file, render(label, start + i).image)
    return folder


def make_bundle(
    folder: Path,
    run_folder: Path,
    levels: Sequence[Level] = ("float32", "int8"),
    name: str = "tiny",
    other: bool = False,
) -> Bundle:
    """Write a bundle of the tiny models without measuring them, for tests of what happens to bundles."""
    from convert.bundle_writer import write_bundle
    from convert.export.tflite import convert_levels
    from convert.results import LevelResults
    from convert.verification.golden_outputs import golden_arrays
    from smear.bundle.training_run import read_run
    from smear.inference.verification import golden_bytes

    run = read_run(run_folder)
    rng = np.random.default_rng(5)
    files: dict[Role, dict[Level, Path]] = {}
    models: dict[Role, keras.Model] = {"segmenter": segmenter(), "classifier": classifier(outputs=4 + other)}
    for role, model in models.items():
        shape = (1, *model.input_shape[1:])
        tensors = [rng.random(shape, np.float32) for _ in range(4)]
        files[role] = {}
        for level, data in convert_levels(model, levels, partial(list, tensors)).items():
            files[role][level] = folder.with_name(f"{folder.name}.{role}.{level}.tflite")
            files[role][level].write_bytes(data)
    inputs: dict[Role, NDArray[np.uint8]] = {
        "segmenter": rng.integers(0, 255, (2, 224, 224, 3), np.uint8),
        "classifier": rng.integers(0, 255, (2, CROP, CROP, 3), np.uint8),
    }
    golden = golden_bytes(golden_arrays(files, inputs, "ai-edge-litert"))
    return write_bundle(run, folder, name, files, golden, other, LevelResults())
