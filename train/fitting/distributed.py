"""Training on several GPUs or machines: one model, mirrored, and each replica gets its part of every batch.

Keras 3 builds models under `tf.distribute`, but its `Model.fit` cannot train them with MultiWorkerMirroredStrategy
(keras-team/keras#20585): it averages the scalar losses of the workers along an axis they do not have. So the loop is
implemented here, for one machine and for several; the callbacks are Keras's own.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from smear.errors import TrainingError

PREFETCH = 8  # batches drawn while the replicas compute


def mirrored_copy(model: keras.Model, strategy: tf.distribute.Strategy) -> keras.Model:
    """Return a copy of `model`, weights included, with a mirror of every variable on each replica."""
    with strategy.scope():
        copy = keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
    return copy


def fit(
    strategy: tf.distribute.Strategy,
    model: keras.Model,
    batches: keras.utils.PyDataset,
    loss: Any,
    *,
    epochs: int,
    callbacks: Sequence[keras.callbacks.Callback],
) -> keras.callbacks.History:
    """Fit `model`, a compiled `mirrored_copy`, as `Model.fit` fits one that is not mirrored.

    Each batch is divided among the replicas, so a run on two machines takes the same steps as a run on one. Batch
    statistics alone differ: each replica computes those of its own part, and the mean of all is stored. Every worker
    draws the whole batch and needs the same data, split and seed.

    Raises:
        TrainingError: the workers were interrupted in different epochs.
    """
    with strategy.scope():
        model.optimizer.build(model.trainable_variables)  # no variable may be created on a replica
    step = _step(strategy, model, keras.losses.get(loss))
    history = keras.callbacks.History()
    events = keras.callbacks.CallbackList([*callbacks, history], model=model, epochs=epochs, steps=len(batches))
    model.stop_training = False
    with strategy.scope():
        events.on_train_begin()
        first = getattr(model, "_initial_epoch", None) or 0  # where BackupAndRestore resumes
        _check_agreement(strategy, first)
        for epoch in range(first, epochs):
            events.on_epoch_begin(epoch)
            losses = [step(*_divided(strategy, batch)) for batch in _drawn(batches, strategy.num_replicas_in_sync)]
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
        if limit is not None:  # of the whole gradient; Keras would clip each replica's before adding them up
            gradients = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, gradients)
            gradients = [gradient / count for gradient in tf.clip_by_global_norm(gradients, limit)[0]]
        optimizer.apply(gradients, variables)
        return value

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def on_all(x: tf.Tensor, y: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
        return strategy.reduce(tf.distribute.ReduceOp.SUM, strategy.run(one, args=(x, y, share)), axis=None)

    return on_all  # type: ignore[no-any-return]  # TensorFlow has no types


def _divided(
    strategy: tf.distribute.Strategy, batch: tuple[NDArray[Any], ...]
) -> list[tf.distribute.DistributedValues]:
    """Divide `batch` among the replicas in the order of its rows; the last element is the share of each replica."""
    count, size = strategy.num_replicas_in_sync, len(batch[0])

    def each(value: Callable[[int, int], tf.Tensor]) -> tf.distribute.DistributedValues:
        def own(context: tf.distribute.experimental.ValueContext) -> tf.Tensor:
            number = context.replica_id_in_sync_group
            return value(size * number // count, size * (number + 1) // count)

        return strategy.experimental_distribute_values_from_function(own)

    def rows_of(array: NDArray[Any]) -> tf.distribute.DistributedValues:
        return each(lambda begin, end: tf.constant(array[begin:end]))

    return [*map(rows_of, batch), each(lambda begin, end: tf.constant((end - begin) / size, tf.float32))]


def _drawn(batches: keras.utils.PyDataset, least: int) -> Iterator[tuple[NDArray[Any], ...]]:
    """Yield the batches of an epoch, a few drawn ahead; one with fewer than `least` rows is left out."""
    numbers = iter(range(len(batches)))
    with ThreadPoolExecutor(max(1, batches.workers)) as pool:
        waiting = deque(pool.submit(batches.__getitem__, number) for number in islice(numbers, PREFETCH))
        while waiting:
            batch = waiting.popleft().result()
            waiting.extend(pool.submit(batches.__getitem__, number) for number in islice(numbers, 1))
            if len(batch[0]) >= least:
                yield batch


def _check_agreement(strategy: tf.distribute.Strategy, epoch: int) -> None:
    """Check that every worker continues from `epoch`; else each would wait for the others for ever."""

    @tf.function  # type: ignore[untyped-decorator]
    def moments() -> tf.Tensor:
        def of_this_replica() -> tf.Tensor:
            own = tf.constant([epoch, epoch**2], tf.float32)
            return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, own)

        return strategy.experimental_local_results(strategy.run(of_this_replica))[0]

    mean, square = (float(value) for value in moments().numpy())
    if square - mean**2 > 1e-3:
        raise TrainingError(
            f"this worker would continue from epoch {epoch + 1}, others from another one; copy the folder of "
            "the run from the worker that is furthest ahead to the others"
        )
