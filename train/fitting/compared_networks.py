"""The comparison of networks as classifiers of whole fields: every network under the same budget, one row each."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from smear.classes import LABELS
from smear.errors import TrainingError
from smear.metrics import bootstrap_interval
from train.data.sampling.whole_fields import FieldBatches, paper_augmentation, whole_field
from train.data.splits import SplitData, load_split_data
from train.evaluation.colour_forest import ForestScore, background_score
from train.fitting.classifier import field_loss, score_fields
from train.fitting.settings import Budget, ComparisonSettings
from train.fitting.training_loop import fit, settle_batch_statistics, write_json
from train.networks.architectures import multiply_adds
from train.networks.registry import NETWORKS, NetworkSpec

BATCH, RATE = 16, 1e-3
BACKGROUND = "background"  # name of the row of the colour forest in files
BACKGROUND_ROW = "colour forest, background alone"

Fields = Sequence[tuple[Path, str]]
Row = dict[str, Any]


def compare(settings: ComparisonSettings) -> Iterator[Row]:
    """Yield the row of the colour forest and of each network on each split, from `settings.out` if it is there.

    Raises:
        TrainingError: a network is unknown, cannot classify whole fields or needs a larger input, a split has several
            folds, or a row in `settings.out` was measured under another budget.
    """
    specs = [_comparable(name, settings.budget.size) for name in settings.networks]
    settings.out.mkdir(parents=True, exist_ok=True)
    for path in settings.splits:
        data = load_split_data(settings.data, settings.fields, path, settings.audit)
        if len(data.split.folds) != 1:
            raise TrainingError(
                f"{path}: has {len(data.split.folds)} folds; networks are compared on a split of one fold"
            )
        yield from _rows_of_split(settings, specs, data)


def _comparable(name: str, size: int) -> NetworkSpec:
    spec = NETWORKS.find(name)
    if not spec.comparable:
        raise TrainingError(f"network {name} does not classify whole fields; choose another")
    if size < spec.smallest_px:  # said now, not after hours of training the others
        raise TrainingError(
            f"network {name} needs an input of {spec.smallest_px} pixels or more, not {size}; give a larger --size"
        )
    return spec


def _rows_of_split(settings: ComparisonSettings, specs: Sequence[NetworkSpec], data: SplitData) -> Iterator[Row]:
    fold, budget = data.fold(0), settings.budget
    train, test = ([(r.path, r.label) for r in data.records(files)] for files in (fold.train, fold.test))
    groups = data.groups_of(fold.test)
    asked = {"split": data.split.name, "precision": settings.precision, **asdict(budget)}

    def background() -> Row:
        return background_row(background_score(data.fields, fold, budget.seed), groups)

    path = settings.out / f"{BACKGROUND}.{data.split.name}.json"
    yield _row(path, {"split": data.split.name, "seed": budget.seed}, background)
    verbose = 1 if sys.stdout.isatty() else 2  # Keras's own progress bar, or one line an epoch
    for spec in specs:
        path = settings.out / f"{spec.name}.{data.split.name}.json"
        work = settings.out / "runs" / path.stem

        def fitted(spec: NetworkSpec = spec, work: Path = work) -> Row:
            return run(spec, train, test, groups, work, budget, verbose)

        yield _row(path, asked, fitted)


def _row(path: Path, asked: Row, measure: Callable[[], Row]) -> Row:
    """Return the row that `path` holds, or measure and store it.

    Raises:
        TrainingError: `path` holds no row, or one under another budget.
    """
    if not path.exists():
        row = measure() | {"split": asked["split"], "seed": asked["seed"], "asked": asked}
        write_json(path, {"rows": [row]})
        return row
    try:
        stored: Row = json.loads(path.read_text(encoding="utf-8"))["rows"][0]
        before = stored["asked"]
    except (ValueError, KeyError, IndexError) as error:
        raise TrainingError(f"{path}: no row of a network ({error}); delete it to run that network again") from error
    other = [key for key, value in asked.items() if before.get(key) != value]
    if other:
        raise TrainingError(f"{path}: measured with another {', '.join(other)}; choose another --out")
    return stored


def build(spec: NetworkSpec, size: int, weights: str = "none") -> keras.Model:
    """Return a classifier of whole fields: float (n, size, size, 3) in 0..1 to softmax (n, 4)."""
    model = spec.create({"size": size, "weights": weights})
    if spec.shown == "field":
        return model
    inputs = keras.Input((size, size, 3))  # a map of logits: its mean, without "other"
    x = layers.GlobalAveragePooling2D(dtype="float32")(model(inputs))
    return keras.Model(inputs, layers.Softmax(dtype="float32")(x[:, : len(LABELS)]), name=spec.name)


def resized(size: int) -> Callable[[Path], NDArray[np.uint8]]:
    """Return a function that reads a whole field at `size` pixels, once: RGB uint8 (size, size, 3)."""

    @cache
    def read(path: Path) -> NDArray[np.uint8]:
        return np.asarray(cv2.resize(whole_field(path), (size, size), interpolation=cv2.INTER_AREA), np.uint8)

    return read


def run(
    spec: NetworkSpec, train: Fields, test: Fields, groups: Sequence[str], work: Path, budget: Budget, verbose: int = 2
) -> Row:
    """Fit a network on `train` and return its row: its scores on `test`, and its cost.

    Its last epoch is scored, never its best, with the batch statistics as training leaves them and as settled after
    it. An interrupted run continues after its last complete epoch, which `work` holds.
    """
    keras.utils.set_random_seed(budget.seed)
    size = budget.size
    model = build(spec, size, budget.weights)
    batches = FieldBatches(list(train), resized(size), batch=BATCH, seed=budget.seed, steps=budget.steps)
    started = time.monotonic()
    trained = keras.Sequential([keras.Input((size, size, 3)), paper_augmentation(), model])
    fit(trained, batches, field_loss, work, epochs=budget.epochs, rate=RATE, resume=True, verbose=verbose,
        settle=False)  # fmt: skip
    unsettled = score_fields(model, test, resized(size))
    settle_batch_statistics(trained, batches)
    minutes = (time.monotonic() - started) / 60
    scores = score_fields(model, test, resized(size))
    low, high = _interval(scores.truth == scores.logits.argmax(axis=1), groups)
    return {
        "network": spec.name, "accuracy": scores.accuracy, "low": low, "high": high, "macro_f1": scores.macro_f1,
        "unsettled_accuracy": unsettled.accuracy, "n": len(scores.truth), "parameters": model.count_params(),
        "multiply_adds": multiply_adds(model), "minutes": round(minutes, 2),
        "weights": budget.weights if spec.pretrained else "none",
        "epochs": budget.epochs, "size": size, "batch": BATCH, "rate": RATE,
        "remark": f"{len(batches)} steps of {BATCH}",
    }  # fmt: skip


def background_row(score: ForestScore, groups: Sequence[str]) -> Row:
    """Return the row of the colour forest on the same test fields, without their cells."""
    low, high = _interval(np.array(score.right), groups)
    return {
        "network": BACKGROUND_ROW, "accuracy": score.accuracy, "low": low, "high": high, "macro_f1": score.macro_f1,
        "n": score.n, "remark": "no network: a random forest on the colours of glass and red cells",
    }  # fmt: skip


def _interval(right: NDArray[np.bool_], groups: Sequence[str]) -> tuple[float, float]:
    return bootstrap_interval(right.astype(float), groups, lambda rows: float(rows.mean()), 0)
