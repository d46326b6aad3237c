"""The training loop both models share: warm-up and cosine rate, averaged weights, checkpoints, logs, resume."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import keras
import numpy as np

from smear.errors import TrainingError
from smear.images import write_atomic
from train.fitting import distributed

WARM_UP_SHARE = 0.05  # of all steps: the first steps of Adam at full rate upset batch statistics
AVERAGE_DECAY = 0.99  # of the moving average of weights that is kept: the last hundred steps or so
WEIGHT_DECAY = 1e-4


def fit(
    model: keras.Model,
    batches: keras.utils.PyDataset,
    loss: object,
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
    """Fit `model` and leave its averaged weights in it; checkpoints, CSV and TensorBoard logs go to `folder`.

    The last epoch's weights are kept, never the best epoch's: no epoch is picked on the data that scores it.
    With `resume` a run that was killed goes on from its last whole epoch and ends after the same `epochs`.
    Inside `train.fitting.distributed.replicas` it trains on all of them, without `validation` or `metrics`.

    Raises:
        TrainingError: `folder` holds an unfinished run and `resume` is False.
    """
    folder.mkdir(parents=True, exist_ok=True)
    backup = folder / "backup"
    if backup.exists() and not resume:
        raise TrainingError(f"{folder}: an unfinished run is there; add --resume or choose another --out")
    steps = epochs * len(batches)
    schedule = keras.optimizers.schedules.CosineDecay(
        rate / 20, steps, warmup_target=rate, warmup_steps=max(1, int(steps * WARM_UP_SHARE)), alpha=0.01
    )
    callbacks = [
        _EpochOfBatches(batches),
        keras.callbacks.BackupAndRestore(str(backup), delete_checkpoint=True),
        keras.callbacks.CSVLogger(str(folder / "epochs.csv"), append=resume),
        keras.callbacks.TensorBoard(str(folder / "tensorboard"), write_graph=False),
    ]
    strategy = distributed.in_use()
    fitted = model if strategy is None else distributed.twin(model, strategy)
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
            shuffle=False,  # drawn at random already; Keras would reorder them from a state no checkpoint holds
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
    loss: object,
    folder: Path,
    *,
    epochs: int,
    rate: float,
    resume: bool = False,
    verbose: int | str = 2,
) -> keras.Model:
    """Return the model that a finished run left in `folder` if `resume`; else `fit` what `build` gives, and save it.

    Neither `build` nor `draw` is called for a run that is finished.
    """
    done = folder / "model.keras"
    if resume and done.exists():
        return keras.models.load_model(done, compile=False)
    model = build()
    fit(model, draw(), loss, folder, epochs=epochs, rate=rate, resume=resume, verbose=verbose)
    model.save(done)
    return model


class _EpochOfBatches(keras.callbacks.Callback):
    """Tells the batches which epoch it is, so that a resumed run draws what the killed one would have."""

    def __init__(self, batches: keras.utils.PyDataset) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.batches.epoch = epoch


def settle_batch_statistics(model: keras.Model, batches: keras.utils.PyDataset, steps: int = 50) -> None:
    """Re-estimate the batch-normalisation statistics as inference meets them, over `steps` batches.

    Averaged weights have never seen their own statistics: those stored belong to the weights of each step. And
    statistics taken under dropout do not hold without it: the paper's network with its dropout stays at chance on
    whatever it is shown, however well it fits (Li et al. 2019, "Understanding the disharmony between dropout and
    batch normalization by variance shift"). So dropout is off here, and the mean over the batches replaces the
    exponential average (Izmailov et al. 2018).
    """
    layers = list(model._flatten_layers())
    norms = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
    if not norms:
        return
    drops = [layer for layer in layers if isinstance(layer, keras.layers.Dropout)]
    kept = [(norm, "momentum", norm.momentum) for norm in norms] + [(drop, "rate", drop.rate) for drop in drops]
    for drop in drops:
        drop.rate = 0.0
    for done in range(min(steps, len(batches))):
        for norm in norms:
            norm.momentum = done / (done + 1.0)
        model(batches[done][0], training=True)
    for layer, name, value in kept:
        setattr(layer, name, value)


def write_json(path: Path, values: dict[str, object]) -> None:
    """Write `values` to `path`, whole or not at all."""
    write_atomic(path, (json.dumps(values, indent=2, default=_plain) + "\n").encode())


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    return str(value)
