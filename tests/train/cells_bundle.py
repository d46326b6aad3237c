"""A working bundle whose classifier is shown all cells at once: a 16x16 convolution to colours, then a 1x1 one."""

import io
from pathlib import Path

import numpy as np

from smear.bundle.files import sha256_of
from smear.bundle.folder import load_bundle, write_manifest
from smear.bundle.manifest import Classifier, ModelFile
from smear.imaging.resampling import FIELD_SIZE
from smear.inference.aggregation import MAP_STRIDE
from smear.inference.tflite import open_runtime
from smear.inference.verification import GOLDEN, INPUTS, answer
from tests import tiny_bundle

# Each colour above and below that of the neutral background, magnified.
COLOURS = 4.0 * np.vstack([np.eye(3), -np.eye(3)]).astype(np.float32)


def make(folder: Path, weights: np.ndarray, bias: np.ndarray) -> Path:
    """Write the bundle into `folder`; float `weights` (5, 6) and `bias` (5,) are those of its last layer."""
    tiny_bundle.make(folder)
    manifest = load_bundle(folder).manifest
    file = folder / "classifier.float32.tflite"
    file.write_bytes(map_model(weights.astype(np.float32), bias.astype(np.float32)))
    entry = ModelFile(file=file.name, sha256=sha256_of(file), bytes=file.stat().st_size)
    (folder / GOLDEN).write_bytes(_golden(folder, file))
    classifier = Classifier(
        name="colours", shown="cells", input_size=FIELD_SIZE, output="logits", other=True, temperature=1.0,
        abstain_below=0.3, levels={"float32": entry},
    )  # fmt: skip
    files = {GOLDEN: sha256_of(folder / GOLDEN)}
    write_manifest(folder, manifest.model_copy(update={"classifier": classifier, "files": files}))
    return folder


def map_model(weights: np.ndarray, bias: np.ndarray) -> bytes:
    """Return a TFLite model of two convolutions: (1, 224, 224, 3) to colours (1, 14, 14, 6), to (1, 14, 14, 5)."""
    filters = np.repeat(np.repeat(COLOURS[:, np.newaxis, np.newaxis], MAP_STRIDE, 1), MAP_STRIDE, 2) / MAP_STRIDE**2
    offset = (-0.5 * COLOURS.sum(axis=1)).astype(np.float32)
    return tiny_bundle.map_model(filters.astype(np.float32), offset, weights, bias, FIELD_SIZE)


def _golden(folder: Path, classifier: Path) -> bytes:
    with np.load(folder / GOLDEN) as known:
        arrays = {name: known[name] for name in known.files if "classifier" not in name}
    pictures = np.random.default_rng(2).integers(0, 256, (2, FIELD_SIZE, FIELD_SIZE, 3), np.uint8)
    model = open_runtime(classifier)
    arrays[INPUTS["classifier"]] = pictures
    arrays["classifier.float32"] = answer("classifier", model, pictures)
    arrays["tolerance.classifier.float32"] = np.array(0.01)
    model.close()
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()
