"""Whole fields as batches, with the paper's six augmentations as Keras layers."""

import math
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from keras import layers

from smear.classes import LABELS
from smear.images import read_image
from smear.imaging.masking import without_scale_bar
from smear.imaging.resampling import to_model_scale


class FieldBatches(keras.utils.PyDataset):
    """Shuffled batches of whole fields: x float32 (n, size, size, 3) in 0..1, y int32 (n,).

    `prepare` turns a path into what the classifier is shown: RGB uint8 (224, 224, 3).
    """

    def __init__(
        self,
        fields: list[tuple[Path, str]],
        prepare: Callable[[Path], np.ndarray],
        *,
        size: int,
        batch: int,
        seed: int | None,
    ) -> None:
        super().__init__(workers=2, use_multiprocessing=False, max_queue_size=8)
        self.fields, self.prepare, self.size, self.batch, self.seed = fields, prepare, size, batch, seed
        self.epoch = 0

    def __len__(self) -> int:
        return math.ceil(len(self.fields) / self.batch)

    def __getitem__(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Return batch `step` of this epoch; in file order when `seed` is None."""
        order = np.arange(len(self.fields))
        if self.seed is not None:
            np.random.default_rng((self.seed, self.epoch)).shuffle(order)
        rows = order[step * self.batch : (step + 1) * self.batch]
        images = [self.prepare(self.fields[row][0]) for row in rows]
        labels = [LABELS.index(self.fields[row][1]) for row in rows]
        return np.stack(images).astype(np.float32) / 255.0, np.array(labels, np.int32)


def whole_field(path: Path) -> np.ndarray:
    """Return the field at `path` as a classifier of whole fields sees it: RGB uint8 (224, 224, 3), no scale bar."""
    return without_scale_bar(to_model_scale(read_image(path)))


CONTRAST, BRIGHTNESS = 0.1, 0.05
"""Half of what a first run took (12 epochs, 0.967 on the random split): the fields tell their class by colour, too."""


def paper_augmentation(cutout: bool = True) -> keras.Sequential:
    """Rotation, contrast, flip, crop, cutout and brightness; the paper names them without their ranges.

    In float32 under any policy: RandomErasing cannot count in float16.
    """
    steps = [
        layers.RandomFlip(dtype="float32"),
        layers.RandomRotation(0.5, fill_mode="reflect", dtype="float32"),
        layers.RandomZoom((-0.2, 0.0), fill_mode="reflect", dtype="float32"),  # crop and back to size
        layers.RandomContrast(CONTRAST, value_range=(0, 1), dtype="float32"),
        layers.RandomBrightness(BRIGHTNESS, value_range=(0, 1), dtype="float32"),
    ]
    if cutout:
        steps.append(layers.RandomErasing(factor=0.5, scale=(0.02, 0.1), value_range=(0, 1), dtype="float32"))
    return keras.Sequential(steps, name="paper_augmentation")
