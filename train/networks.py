"""The networks the paper compares, as classifiers of whole fields, and one of them run under the shared budget."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import keras
import numpy as np
from keras import layers

from smear.classes import LABELS
from smear.errors import TrainingError
from train.classification import FieldScores, field_loss
from train.fields import FieldBatches, paper_augmentation, whole_field
from train.fit import fit, write_json
from train.models import paper_cnn

LEAST_SIZE = {"InceptionV3": 75}
BATCH, RATE = 16, 1e-3
Fields = Sequence[tuple[Path, str]]
SIGNED = ((2.0, 2.0, 2.0), (-1.0, -1.0, -1.0))  # -1..1
TORCH = ((1 / 0.229, 1 / 0.224, 1 / 0.225), (-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225))
CAFFE = ((255.0, 255.0, 255.0), (-103.939, -116.779, -123.68))  # of blue, green, red
PREPARED = {
    "MobileNetV2": SIGNED,
    "InceptionV3": SIGNED,
    "ResNet50": CAFFE,
    "NASNetMobile": SIGNED,
    "DenseNet201": TORCH,
}
"""keras.applications name -> scale and offset of each channel, which is its own `preprocess_input` for 0..1."""
NAMES = (*PREPARED, "vit", "paper_cnn")


def build(name: str, size: int, weights: str = "none") -> keras.Model:
    """Return network `name`: float (n, size, size, 3) in 0..1 to softmax (n, 4).

    Raises:
        TrainingError: no network has that name, or `size` is too small for it.
    """
    if name not in NAMES:
        raise TrainingError(f"no network is called {name!r}; choose from {', '.join(NAMES)}")
    least = LEAST_SIZE.get(name, 32)
    if size < least:
        raise TrainingError(f"{name} needs fields of {least} pixels or more, not {size}; give a larger --size")
    if name == "paper_cnn":
        return paper_cnn(size, dropout=0.3)
    if name == "vit":
        return vit(size)
    inputs = keras.Input((size, size, 3))
    scale, offset = PREPARED[name]
    x = inputs[..., ::-1] if PREPARED[name] is CAFFE else inputs
    x = layers.Rescaling(scale, offset)(x)
    body = getattr(keras.applications, name)(
        include_top=False, pooling="avg", weights=None if weights == "none" else weights, input_shape=(size, size, 3)
    )
    outputs = layers.Dense(len(LABELS), activation="softmax", dtype="float32")(body(x))
    return keras.Model(inputs, outputs, name=name)


def vit(size: int, patch: int = 16, width: int = 192, depth: int = 6, heads: int = 3) -> keras.Model:
    """A small vision transformer, pre-norm, mean over patches; see docs/decisions/0009 for why it is our own."""
    inputs = keras.Input((size, size, 3))
    x = layers.Conv2D(width, patch, strides=patch)(layers.Rescaling(2.0, -1.0)(inputs))
    count = (size // patch) ** 2
    x = layers.Reshape((count, width))(x)
    x = _Places()(x)
    for _ in range(depth):
        y = layers.LayerNormalization(epsilon=1e-6)(x)
        x = x + layers.MultiHeadAttention(heads, width // heads)(y, y)
        y = layers.LayerNormalization(epsilon=1e-6)(x)
        y = layers.Dense(width * 4, activation="gelu")(y)
        x = x + layers.Dense(width)(y)
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization(epsilon=1e-6)(x))
    outputs = layers.Dense(len(LABELS), activation="softmax", dtype="float32")(x)
    return keras.Model(inputs, outputs, name="vit")


@keras.saving.register_keras_serializable("smearscope")
class _Places(layers.Layer):
    """Adds a learned vector to each place of the sequence."""

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.places = self.add_weight(shape=shape[1:], initializer=keras.initializers.RandomNormal(stddev=0.02))

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return x + self.places


def shrunk(size: int) -> Callable[[Path], np.ndarray]:
    """Return what reads a whole field at `size` pixels: RGB uint8 (size, size, 3)."""
    return lambda path: cv2.resize(whole_field(path), (size, size), interpolation=cv2.INTER_AREA)


class _Some(FieldBatches):
    """The first `steps` batches of each epoch's own order."""

    steps: int | None = None

    def __len__(self) -> int:
        return min(self.steps or super().__len__(), super().__len__())


def run(
    name: str, train: Fields, test: Fields, out: Path, *,
    split: str, fold: int, weights: str, epochs: int, steps: int | None, size: int, seed: int, verbose: int = 2,
) -> dict[str, object]:  # fmt: skip
    """Fit network `name` on `train`, score it on `test` and write `out`/`name`.json, the row of the report.

    Its last epoch is scored, never its best. A run that was killed goes on from its last whole epoch.
    """
    keras.utils.set_random_seed(seed)
    model = build(name, size, weights)
    # What the weights start from is the paper CNN's and the ViT's own: there are none to load.
    start = weights if name in PREPARED else "none"
    batches = _Some(list(train), shrunk(size), size=size, batch=BATCH, seed=seed)
    batches.steps = steps
    begun = time.monotonic()
    trained = keras.Sequential([keras.Input((size, size, 3)), paper_augmentation(), model])
    fit(trained, batches, field_loss, out / "runs" / name, epochs=epochs, rate=RATE, resume=True, verbose=verbose)
    minutes = (time.monotonic() - begun) / 60
    scored = score(model, test, size)
    row: dict[str, object] = {
        "network": name, "split": split, "fold": fold, "seed": seed, "epochs": epochs,
        "accuracy": scored.accuracy, "macro_f1": scored.macro_f1, "n": len(scored.truth), "size": size,
        "minutes": round(minutes, 2), "weights": start, "batch": BATCH, "rate": RATE, "steps": len(batches),
        "remark": f"{len(batches)} steps of {BATCH} fields an epoch",
    }  # fmt: skip
    write_json(out / f"{name}.json", {"rows": [row]})
    return row


def score(model: keras.Model, fields: Fields, size: int) -> FieldScores:
    """Return what `model` says of `fields`, shown at `size` pixels."""
    batches = FieldBatches(list(fields), shrunk(size), size=size, batch=BATCH, seed=None)
    told = np.concatenate([np.asarray(model.predict_on_batch(batches[i][0])) for i in range(len(batches))])
    truth = np.array([LABELS.index(label) for _, label in fields], np.int32)
    logits = np.log(np.maximum(told, 1e-7))
    return FieldScores(tuple(str(path) for path, _ in fields), truth, logits, np.zeros(len(truth), np.float32))
