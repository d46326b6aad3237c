"""One worker of test_distributed.py: argv is the strategy and the folder it leaves its answer in."""

import os
import sys
from pathlib import Path

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # workers on one machine must not share a GPU
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from train.fitting.strategies import replicas
from train.fitting.training_loop import fit

EPOCHS, STEPS, ROWS = 3, 3, 7  # rows that two workers cannot halve


class Colours(keras.utils.PyDataset):  # type: ignore[misc]  # Keras has no types
    """Tiny pictures, whose class is the channel that is strongest; other ones each epoch; can be killed at one."""

    def __init__(self, dies_in: int | None = None) -> None:
        super().__init__(workers=2)
        self.epoch, self.dies_in = 0, dies_in

    def __len__(self) -> int:
        return STEPS

    def __getitem__(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        if self.epoch == self.dies_in:
            raise RuntimeError("killed")
        x = np.random.default_rng((self.epoch, step)).random((ROWS, 6, 6, 3), np.float32)
        return x, x.mean(axis=(1, 2)).argmax(axis=1).astype(np.int32)


def learn(
    model: keras.Model, folder: Path, dies_in: int | None = None, resume: bool = False
) -> tuple[list[np.ndarray], list[int]]:
    loss = keras.losses.sparse_categorical_crossentropy
    history = fit(model, Colours(dies_in), loss, folder, epochs=EPOCHS, rate=0.05, resume=resume, verbose=0)
    return model.get_weights(), history.epoch


def plain() -> keras.Model:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [keras.Input((6, 6, 3)), layers.Conv2D(4, 3, activation="relu"), layers.GlobalAveragePooling2D(),
         layers.Dense(3, activation="softmax")]
    )  # fmt: skip


def with_chance() -> keras.Model:
    """All that differs between replicas: augmentation, dropout and batch statistics."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [keras.Input((6, 6, 3)), layers.RandomFlip(), layers.Conv2D(4, 3), layers.BatchNormalization(),
         layers.GlobalAveragePooling2D(), layers.Dropout(0.3), layers.Dense(3, activation="softmax")]
    )  # fmt: skip


if __name__ == "__main__":
    strategy, out = sys.argv[1], Path(sys.argv[2])
    if strategy == "mirrored":
        import tensorflow as tf

        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    with replicas(strategy):
        sure, epochs = learn(plain(), out / "plain")
        chance, _ = learn(with_chance(), out / "chance")
    np.savez(out / "end.npz", *sure, *chance, epochs=epochs, plain=len(sure))
