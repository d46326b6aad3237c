"""The training loop of all networks: warm-up and cosine rate, averaged weights, checkpoints, logs, resume."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import keras
import numpy as np

from smear.errors import TrainingError
from smear.images import write_atomic
from train.fitting.strategies import in_use

WARM_UP_SHARE = 0.05  # of all steps: Adam's first steps at full rate would disturb the batch statistics
AVERAGE_DECAY = 0.99  # of the moving average of weights: it covers about the last hundred steps
WEIGHT_DECAY = 1e-4

Loss = Any
"""A loss as Keras takes it: its name, or a function of truth and output."""


def fit(
    model: keras.Model,
    batches: keras.utils.PyDataset,
    loss: Loss,
    folder: Path,
    *,
    epochs: int,
    rate: float,
    resume: bool = False,
    validation: keras.utils.PyDataset | None = None,
    metrics: list[object] | None = None,
    verbose: int | str = 2,
    settle: bool = True,
) -> keras.callbacks.History:
    """Fit `model` and set it to its averaged weights; checkpoints, CSV and TensorBoard logs go to `folder`.

    The last epoch's weights are kept, never the best epoch's: no epoch is picked on the data that scores it.
    With `resume`, an interrupted run continues after its last complete epoch and ends after the same `epochs`.
    Inside `train.fitting.strategies.replicas` it trains on all of them, without `validation` or `metrics`.

    Raises:
        TrainingError: `folder` holds an unfinished run and `resume` is False.
    """
    folder.mkdir(parents=True, exist_ok=True)
    backup = folder / "backup"
    if backup.exists() and not resume:
        raise TrainingError(f"{folder}: holds an unfinished run; add --resume or choose another --out")
    steps = epochs * len(batches)
    schedule = keras.optimizers.schedules.CosineDecay(
        rate / 20, steps, warmup_target=rate, warmup_steps=max(1, int(steps * WARM_UP_SHARE)), alpha=0.01
    )
    callbacks = [
        _EpochOfBatches(batches),
        keras.callbacks.BackupAndRestore(str(backup), delete_checkpoint=True),
        keras.callbacks.CSVLogger(str(folder / "epochs.csv"), append=resume),
    ]
    if keras.config.backend() == "tensorflow":  # which writes its events
        callbacks.append(keras.callbacks.TensorBoard(str(folder / "tensorboard"), write_graph=False))
    strategy, fitted = in_use(), model
    if strategy is not None:
        from train.fitting import distributed  # here, so that other backends of Keras do without TensorFlow

        fitted = distributed.mirrored_copy(model, strategy)
    with nullcontext() if strategy is None else strategy.scope():
        optimizer = keras.optimizers.AdamW(
            schedule, weight_decay=WEIGHT_DECAY, global_clipnorm=1.0, use_ema=True, ema_momentum=AVERAGE_DECAY
        )
        fitted.compile(optimizer=optimizer, loss=loss, metrics=metrics or [])
    if strategy is not None:
        history = distributed.fit(strategy, fitted, batches, loss, epochs=epochs, callbacks=callbacks)
    else:
        history = model.fit(
            batches,
            epochs=epochs,
            validation_data=validation,
            verbose=verbose,
            shuffle=False,  # random already; Keras would reorder them from a state that no checkpoint holds
            callbacks=callbacks,
        )
    with nullcontext() if strategy is None else strategy.scope():
        optimizer.finalize_variable_values(fitted.trainable_variables)
    if fitted is not model:
        model.set_weights(fitted.get_weights())
    if settle:
        settle_batch_statistics(model, batches)
    return history


def fit_once(
    build: Callable[[], keras.Model],
    draw: Callable[[], keras.utils.PyDataset],
    loss_of: Callable[[keras.Model], Loss],
    folder: Path,
    *,
    epochs: int,
    rate: float,
    resume: bool = False,
) -> keras.Model:
    """Return the model of a finished run in `folder` if `resume`; else `fit` the one that `build` returns, and save it.

    `draw` returns the batches, `loss_of` the loss of a model. None of the three is called for a finished run.
    """
    done = folder / "model.keras"
    if resume and done.exists():
        return keras.models.load_model(done, compile=False)
    model = build()
    fit(model, draw(), loss_of(model), folder, epochs=epochs, rate=rate, resume=resume)
    model.save(done)
    return model


class _EpochOfBatches(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Sets the epoch of the batches, so that a resumed run draws those that the interrupted one would have drawn."""

    def __init__(self, batches: keras.utils.PyDataset) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.batches.epoch = epoch


def settle_batch_statistics(model: keras.Model, batches: keras.utils.PyDataset, steps: int = 50) -> None:
    """Re-estimate the batch-normalisation statistics over `steps` batches, without dropout, as at inference.

    The stored statistics belong to the weights of each step, not to the averaged weights. And statistics taken under
    dropout do not hold without it: the paper's network with its dropout stays at chance level at inference, however
    well it fits (Li et al. 2019, "Understanding the disharmony between dropout and batch normalization by variance
    shift"). So dropout is off here, and the mean over the batches replaces the exponential average (Izmailov et al.
    2018).
    """
    layers = list(model._flatten_layers())
    norms = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
    if not norms:
        return
    drops = [layer for layer in layers if isinstance(layer, keras.layers.Dropout)]
    kept = [(norm, "momentum", norm.momentum) for norm in norms] + [(drop, "rate", drop.rate) for drop in drops]
    for drop in drops:
        drop.rate = 0.0
    for norm in norms:
        norm.momentum = 0.0  # each batch leaves its own statistics
    statistics = [variable for norm in norms for variable in (norm.moving_mean, norm.moving_variance)]
    means = [np.zeros(variable.shape) for variable in statistics]
    compiled, count = _Training(model), min(steps, len(batches))
    for number in range(count):
        compiled.predict_on_batch(batches[number][0])
        for mean, variable in zip(means, statistics, strict=True):
            mean += keras.ops.convert_to_numpy(variable) / count
    for mean, variable in zip(means, statistics, strict=True):
        variable.assign(mean)
    for layer, name, value in kept:
        setattr(layer, name, value)


class _Training(keras.Model):  # type: ignore[misc]  # Keras has no types
    """Calls a model as in training, but compiled: layer by layer, some backends take minutes for a large network."""

    def __init__(self, inner: keras.Model) -> None:
        super().__init__(name="in_training")
        self.inner, self.built = inner, True  # nothing to build, layer by layer either

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Return the output of the model for `x`, and let it update its statistics."""
        return self.inner(x, training=True)


def write_json(path: Path, values: dict[str, object]) -> None:
    """Write `values` to `path`, whole or not at all."""
    write_atomic(path, (json.dumps(values, indent=2, default=_plain) + "\n").encode())


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    return str(value)
