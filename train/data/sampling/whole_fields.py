"""Whole fields as batches, with the paper's six augmentations as Keras layers."""

import math
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from smear.classes import LABELS
from smear.images import read_image
from smear.imaging.masking import without_scale_bar
from smear.imaging.resampling import to_model_scale

CONTRAST, BRIGHTNESS = 0.1, 0.05
"""Half of what a first run took (12 epochs, 0.967 on the random split): the fields show their class by colour, too."""


class FieldBatches(keras.utils.PyDataset):  # type: ignore[misc]  # Keras has no types
    """Shuffled batches of whole fields: x float32 (n, size, size, 3) in 0..1, y int32 (n,).

    `prepare` turns a path into what the classifier is shown: RGB uint8 (size, size, 3).
    """

    def __init__(
        self,
        fields: list[tuple[Path, str]],
        prepare: Callable[[Path], NDArray[np.uint8]],
        *,
        batch: int,
        seed: int | None,
        steps: int | None = None,
    ) -> None:
        """Batch `fields`, of path and label; with `steps`, the first so many batches of each epoch's own order."""
        super().__init__(workers=2, use_multiprocessing=False, max_queue_size=8)
        self.fields, self.prepare, self.batch, self.seed, self.steps = fields, prepare, batch, seed, steps
        self.epoch = 0

    def __len__(self) -> int:
        whole = math.ceil(len(self.fields) / self.batch)
        return whole if self.steps is None else min(self.steps, whole)

    def __getitem__(self, step: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Return batch `step` of this epoch; in file order when `seed` is None."""
        order = np.arange(len(self.fields))
        if self.seed is not None:
            np.random.default_rng((self.seed, self.epoch)).shuffle(order)
        rows = order[step * self.batch : (step + 1) * self.batch]
        images = [self.prepare(self.fields[row][0]) for row in rows]
        labels = [LABELS.index(self.fields[row][1]) for row in rows]
        return np.stack(images).astype(np.float32) / 255.0, np.array(labels, np.int32)


def whole_field(path: Path) -> NDArray[np.uint8]:
    """Return the field at `path` as a classifier of whole fields sees it: RGB uint8 (224, 224, 3), no scale bar."""
    return without_scale_bar(to_model_scale(read_image(path)))


def paper_augmentation() -> keras.Sequential:
    """Return rotation, contrast, flip, crop, cutout and brightness; the paper names them without their ranges.

    In float32 under any policy: RandomErasing fails in float16.
    """
    steps = [
        layers.RandomFlip(dtype="float32"),
        layers.RandomRotation(0.5, fill_mode="reflect", dtype="float32"),
        layers.RandomZoom((-0.2, 0.0), fill_mode="reflect", dtype="float32"),  # crop and back to size
        layers.RandomContrast(CONTRAST, value_range=(0, 1), dtype="float32"),
        layers.RandomBrightness(BRIGHTNESS, value_range=(0, 1), dtype="float32"),
        layers.RandomErasing(factor=0.5, scale=(0.02, 0.1), value_range=(0, 1), dtype="float32"),
    ]
    return keras.Sequential(steps, name="paper_augmentation")
