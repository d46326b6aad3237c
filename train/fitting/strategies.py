"""The strategy that training runs by, and what TF_CONFIG says of the workers; imports TensorFlow only to use one."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from smear.errors import TrainingError

if TYPE_CHECKING:
    import tensorflow as tf

STRATEGIES = ("auto", "none", "mirrored", "multiworker")
_in_use: ContextVar["tf.distribute.Strategy | None"] = ContextVar("strategy", default=None)


@contextmanager
def replicas(name: str) -> Iterator[None]:
    """Let every `fit` in this context train by strategy `name`; enter it before TensorFlow computes anything.

    `auto`: several machines if TF_CONFIG names them, else all GPUs if there are several, else none. On another backend
    of Keras, `auto` is one device.

    Raises:
        TrainingError: `multiworker` without a TF_CONFIG that names two workers or more, or a strategy of TensorFlow
            on another backend.
    """
    token = _in_use.set(_strategy(name))
    try:
        yield
    finally:
        _in_use.reset(token)


def in_use() -> "tf.distribute.Strategy | None":
    """Return the strategy of this context; None for a single device."""
    return _in_use.get()


def _strategy(name: str) -> "tf.distribute.Strategy | None":
    import keras

    if name not in STRATEGIES:
        raise TrainingError(f"no strategy is called {name!r}; choose from {', '.join(STRATEGIES)}")
    if (backend := keras.config.backend()) != "tensorflow":
        if name in ("auto", "none"):
            return None
        raise TrainingError(f"--strategy {name} needs TensorFlow, and KERAS_BACKEND is {backend}; unset one of the two")
    import tensorflow as tf

    count = workers() if name in ("auto", "multiworker") else 0
    if name == "multiworker" and count < 2:
        raise TrainingError(
            "--strategy multiworker needs a TF_CONFIG that names two workers or more; see docs/distributed.md"
        )
    if count > 1:
        return tf.distribute.MultiWorkerMirroredStrategy()
    gpus = len(tf.config.list_logical_devices("GPU")) if name == "auto" else 0
    return tf.distribute.MirroredStrategy() if name == "mirrored" or gpus > 1 else None


def workers() -> int:
    """Return the number of workers that TF_CONFIG names; 0 if it is not set.

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
