"""Training on several GPUs or several machines at once: one model, mirrored, each replica fed its part of every batch.

Keras 3 builds models under `tf.distribute` but its `Model.fit` cannot train them with MultiWorkerMirroredStrategy
(keras-team/keras#20585): it averages the scalar losses of the workers along an axis they do not have. So the loop is
written out here, for one machine and for many alike; the callbacks are Keras's own.
"""

import json
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice

import click
import keras
import numpy as np
import tensorflow as tf

from smear.errors import TrainingError

NAMES = ("auto", "none", "mirrored", "multiworker")
option = click.option(
    "--strategy", type=click.Choice(NAMES), default="auto", show_default=True,
    help="Over all GPUs, or all machines of TF_CONFIG; see docs/distributed.md.",
)  # fmt: skip
"""The option of every command that trains."""
AHEAD = 8  # batches drawn while the replicas are busy
_in_use: ContextVar[tf.distribute.Strategy | None] = ContextVar("strategy", default=None)


@contextmanager
def replicas(name: str) -> Iterator[None]:
    """Let every `fit` below train by strategy `name`; call it before anything of TensorFlow runs.

    `auto`: several machines if TF_CONFIG names them, else all GPUs if there are several, else none.

    Raises:
        TrainingError: `multiworker` without a TF_CONFIG that names two workers or more.
    """
    strategy = _strategy(name)
    token = _in_use.set(strategy)
    try:
        yield
    finally:
        _in_use.reset(token)


def in_use() -> tf.distribute.Strategy | None:
    """Return the strategy that training goes by, None for one device alone."""
    return _in_use.get()


def workers() -> int:
    """Return how many workers TF_CONFIG names, 0 if it is not set.

    Raises:
        TrainingError: it cannot be read.
    """
    text = os.environ.get("TF_CONFIG", "")
    if not text:
        return 0
    try:
        cluster = json.loads(text)["cluster"]
        return sum(len(cluster.get(kind, ())) for kind in ("chief", "worker"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TrainingError(
            f"TF_CONFIG cannot be read ({error}); give "
            '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}, or unset it'
        ) from error


def _strategy(name: str) -> tf.distribute.Strategy | None:
    if name not in NAMES:
        raise TrainingError(f"no strategy is called {name!r}; choose from {', '.join(NAMES)}")
    count = workers() if name in ("auto", "multiworker") else 0
    if name == "multiworker" and count < 2:
        raise TrainingError(
            "--strategy multiworker needs a TF_CONFIG that names two workers or more; see docs/distributed.md"
        )
    if count > 1:
        return tf.distribute.MultiWorkerMirroredStrategy()
    gpus = len(tf.config.list_logical_devices("GPU")) if name == "auto" else 0
    return tf.distribute.MirroredStrategy() if name == "mirrored" or gpus > 1 else None


def twin(model: keras.Model, strategy: tf.distribute.Strategy) -> keras.Model:
    """Return a copy of `model`, weights too, with a mirror of every variable on each replica."""
    with strategy.scope():
        copy = keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
    return copy


def fit(
    strategy: tf.distribute.Strategy,
    model: keras.Model,
    batches: keras.utils.PyDataset,
    loss: object,
    *,
    epochs: int,
    callbacks: Sequence[keras.callbacks.Callback],
) -> keras.callbacks.History:
    """Fit `model`, a compiled `twin`, as `Model.fit` does one that is not mirrored.

    The batch stays what it is and is parted among the replicas, so that a run on two machines takes the steps of a
    run on one, but for batch statistics, which each replica takes of its own part and all share the mean of. Every
    worker draws the whole batch and needs the same data, split and seed.

    Raises:
        TrainingError: the workers were killed in different epochs.
    """
    with strategy.scope():
        model.optimizer.build(model.trainable_variables)  # no variable may first be made on a replica
    step = _step(strategy, model, keras.losses.get(loss))
    history = keras.callbacks.History()
    events = keras.callbacks.CallbackList([*callbacks, history], model=model, epochs=epochs, steps=len(batches))
    model.stop_training = False
    with strategy.scope():
        events.on_train_begin()
        first = getattr(model, "_initial_epoch", None) or 0  # what BackupAndRestore found
        _agree(strategy, first)
        for epoch in range(first, epochs):
            events.on_epoch_begin(epoch)
            losses = [step(*_parted(strategy, batch)) for batch in _drawn(batches, strategy.num_replicas_in_sync)]
            events.on_epoch_end(epoch, {"loss": float(np.mean([float(value) for value in losses]))})
        events.on_train_end()
    return history


def _step(
    strategy: tf.distribute.Strategy, model: keras.Model, loss: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
) -> Callable[..., tf.Tensor]:
    optimizer, variables = model.optimizer, model.trainable_variables
    limit, count = optimizer.global_clipnorm, strategy.num_replicas_in_sync

    def one(x: tf.Tensor, y: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            value = tf.reduce_mean(tf.cast(loss(y, model(x, training=True)), tf.float32)) * share
            scaled = optimizer.scale_loss(value)
        gradients = tape.gradient(scaled, [variable.value for variable in variables])
        if limit is not None:  # of the whole gradient; Keras would clip each replica's and only then add them up
            gradients = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, gradients)
            gradients = [gradient / count for gradient in tf.clip_by_global_norm(gradients, limit)[0]]
        optimizer.apply(gradients, variables)
        return value

    @tf.function(reduce_retracing=True)
    def all_of_them(x: tf.Tensor, y: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
        return strategy.reduce(tf.distribute.ReduceOp.SUM, strategy.run(one, args=(x, y, share)), axis=None)

    return all_of_them


def _parted(strategy: tf.distribute.Strategy, batch: tuple[np.ndarray, ...]) -> list[tf.distribute.DistributedValues]:
    """Part `batch` in the order of its rows; last comes the share of them each replica has."""
    count, size = strategy.num_replicas_in_sync, len(batch[0])

    def each(value: Callable[[int, int], tf.Tensor]) -> tf.distribute.DistributedValues:
        def own(context: tf.distribute.experimental.ValueContext) -> tf.Tensor:
            number = context.replica_id_in_sync_group
            return value(size * number // count, size * (number + 1) // count)

        return strategy.experimental_distribute_values_from_function(own)

    parts = [each(lambda begin, end, array=array: tf.constant(array[begin:end])) for array in batch]
    return [*parts, each(lambda begin, end: tf.constant((end - begin) / size, tf.float32))]


def _drawn(batches: keras.utils.PyDataset, least: int) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield the batches of an epoch, a few drawn ahead; one of less than `least` rows is left out."""
    numbers = iter(range(len(batches)))
    with ThreadPoolExecutor(max(1, batches.workers)) as pool:
        waiting = deque(pool.submit(batches.__getitem__, number) for number in islice(numbers, AHEAD))
        while waiting:
            batch = waiting.popleft().result()
            waiting.extend(pool.submit(batches.__getitem__, number) for number in islice(numbers, 1))
            if len(batch[0]) >= least:
                yield batch


def _agree(strategy: tf.distribute.Strategy, epoch: int) -> None:
    """Make sure that every worker goes on from `epoch`: each would wait for the others for ever if not."""

    @tf.function
    def moments() -> tf.Tensor:
        def told() -> tf.Tensor:
            own = tf.constant([epoch, epoch**2], tf.float32)
            return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, own)

        return strategy.experimental_local_results(strategy.run(told))[0]

    mean, square = (float(value) for value in moments().numpy())
    if square - mean**2 > 1e-3:
        raise TrainingError(
            f"this worker would go on from epoch {epoch + 1}, another from another; copy the folder of the run from "
            "the worker that is furthest to the others"
        )
