"""The networks the paper compares, as classifiers of whole fields, and one of them run under the shared budget."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
from keras import layers

from smear.classes import LABELS
from smear.errors import TrainingError
from smear.metrics import bootstrap_interval
from train.data.whole_fields import FieldBatches, paper_augmentation, whole_field
from train.evaluation.colour_forest import Told
from train.fitting.classifier import field_loss, score_fields
from train.fitting.training_loop import fit, settle_batch_statistics, write_json
from train.networks import architectures
from train.networks.vision_transformer import vit
from train.reporting.page import Table

LEAST_SIZE = {"InceptionV3": 75}
BATCH, RATE = 16, 1e-3
WORKING_DROPOUT = 0.3  # of the paper's CNN; see docs/decisions/0006
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
NAMES = ("paper_cnn", "paper_cnn_literal", "MobileNetV2", "smearnet", "vit", "NASNetMobile", "InceptionV3", "ResNet50",
         "DenseNet201")  # fmt: skip
"""Cheapest first, so that a run that is cut short has left most rows."""
GROUND = "colour forest, ground alone"


@dataclass(frozen=True, slots=True)
class Budget:
    """What every network of one table has in common."""

    epochs: int
    size: int
    weights: str = "none"
    steps: int | None = None  # batches of an epoch, at most
    seed: int = 0


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
    if name == "vit":
        return vit(size)
    if name == "smearnet":
        return _smearnet(size)
    if name in PREPARED:
        return _published(name, size, weights)
    return architectures.paper_cnn(
        size, architectures.PAPER_DROPOUT if name == "paper_cnn_literal" else WORKING_DROPOUT
    )


def _published(name: str, size: int, weights: str) -> keras.Model:
    inputs = keras.Input((size, size, 3))
    scale, offset = PREPARED[name]
    x = inputs[..., ::-1] if PREPARED[name] is CAFFE else inputs
    x = layers.Rescaling(scale, offset)(x)
    body = getattr(keras.applications, name)(
        include_top=False, pooling="avg", weights=None if weights == "none" else weights, input_shape=(size, size, 3)
    )
    outputs = layers.Dense(len(LABELS), activation="softmax", dtype="float32")(body(x))
    return keras.Model(inputs, outputs, name=name)


def _smearnet(size: int) -> keras.Model:
    """Our own, shown whole fields like the others: the mean of its map, without "other"."""
    inputs = keras.Input((size, size, 3))
    x = layers.GlobalAveragePooling2D(dtype="float32")(architectures.smearnet(size)(inputs))
    return keras.Model(inputs, layers.Softmax(dtype="float32")(x[:, : len(LABELS)]), name="smearnet")


def shrunk(size: int) -> Callable[[Path], np.ndarray]:
    """Return what reads a whole field at `size` pixels: RGB uint8 (size, size, 3)."""
    return lambda path: cv2.resize(whole_field(path), (size, size), interpolation=cv2.INTER_AREA)


class _Some(FieldBatches):
    """The first `steps` batches of each epoch's own order."""

    steps: int | None = None

    def __len__(self) -> int:
        return min(self.steps or super().__len__(), super().__len__())


def run(
    name: str, train: Fields, test: Fields, groups: Sequence[str], work: Path, budget: Budget, verbose: int = 2
) -> dict[str, Any]:
    """Fit network `name` on `train` and return its row: what it says of `test`, and what that cost.

    Its last epoch is scored, never its best, with the batch statistics as training left them and as settled after
    it. A run that was killed goes on from its last whole epoch, kept in `work`.
    """
    keras.utils.set_random_seed(budget.seed)
    size = budget.size
    model = build(name, size, budget.weights)
    batches = _Some(list(train), shrunk(size), size=size, batch=BATCH, seed=budget.seed)
    batches.steps = budget.steps
    begun = time.monotonic()
    trained = keras.Sequential([keras.Input((size, size, 3)), paper_augmentation(), model])
    fit(trained, batches, field_loss, work, epochs=budget.epochs, rate=RATE, resume=True, verbose=verbose,
        settle=False)  # fmt: skip
    left = score_fields(model, test, shrunk(size), size)
    settle_batch_statistics(trained, batches)
    minutes = (time.monotonic() - begun) / 60
    scored = score_fields(model, test, shrunk(size), size)
    low, high = _interval(scored.truth == scored.logits.argmax(axis=1), groups)
    return {
        "network": name, "accuracy": scored.accuracy, "low": low, "high": high, "macro_f1": scored.macro_f1,
        "unsettled_accuracy": left.accuracy, "n": len(scored.truth), "parameters": model.count_params(),
        "multiply_adds": architectures.multiply_adds(model), "minutes": round(minutes, 2),
        # There are none to load for the paper's CNN, the ViT and our own.
        "weights": budget.weights if name in PREPARED else "none",
        "epochs": budget.epochs, "size": size, "batch": BATCH, "rate": RATE,
        "remark": f"{len(batches)} steps of {BATCH}",
    }  # fmt: skip


def ground_row(told: Told, groups: Sequence[str]) -> dict[str, Any]:
    """Return what the colour forest knew of the same test fields, shown no cell, as a row."""
    low, high = _interval(np.array(told.right), groups)
    return {
        "network": GROUND, "accuracy": told.accuracy, "low": low, "high": high, "macro_f1": told.macro_f1,
        "n": told.n, "remark": "no network: a random forest on the colours of glass and red cells",
    }  # fmt: skip


def _interval(right: np.ndarray, groups: Sequence[str]) -> tuple[float, float]:
    return bootstrap_interval(right.astype(float), groups, lambda rows: float(rows.mean()), 0)


def save_row(path: Path, row: dict[str, Any]) -> None:
    """Write `row` to `path` as `train report --networks` reads it."""
    write_json(path, {"rows": [row]})


def table(rows: Sequence[dict[str, Any]]) -> Table:
    """Return all `rows` side by side, split by split."""
    cells = []
    for row in sorted(rows, key=lambda row: (str(row["split"]), -float(row["accuracy"]))):
        interval = f"{row['accuracy']:.4f} ({row['low']:.4f} to {row['high']:.4f})"
        cells.append(
            (row["network"], row["split"], interval, f"{row['macro_f1']:.4f}", _said(row, "unsettled_accuracy", ".4f"),
             str(row["n"]), _said(row, "parameters", ","), _said(row, "multiply_adds", ","),
             _said(row, "minutes", ".1f"), str(row.get("weights", "-")))
        )  # fmt: skip
    head = ("network", "split", "accuracy (95 %)", "macro F1", "accuracy, unsettled", "n", "parameters",
            "multiply-adds", "minutes", "weights")  # fmt: skip
    caption = (
        "Whole fields, one budget for all; no row says that a network looks at cells. "
        "Unsettled: with the batch statistics as training left them, see docs/decisions/0006"
    )
    return Table(caption, head, cells)


def _said(row: dict[str, Any], name: str, form: str) -> str:
    return format(row[name], form) if row.get(name) is not None else "-"
