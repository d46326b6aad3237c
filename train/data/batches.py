"""What every source of endlessly varied batches has in common: how many, how large, and drawn the same again."""

import keras
import numpy as np


class DrawnBatches(keras.utils.PyDataset):
    """`steps` batches an epoch, each drawn at random from `seed`, the epoch and its own number alone."""

    def __init__(self, steps: int, batch: int, seed: int) -> None:
        super().__init__(workers=2, use_multiprocessing=False, max_queue_size=8)
        self.steps, self.batch, self.seed, self.epoch = steps, batch, seed, 0

    def __len__(self) -> int:
        return self.steps

    def rng(self, step: int) -> np.random.Generator:
        """Return what batch `step` of this epoch is drawn with."""
        return np.random.default_rng((self.seed, self.epoch, step))
