"""The common base of all batches that are drawn at random: their number, their size and their seed."""

import keras
import numpy as np


class RandomBatches(keras.utils.PyDataset):  # type: ignore[misc]  # Keras has no types
    """`steps` batches an epoch, each drawn from `seed`, the epoch and its own number alone.

    So a resumed run draws the batches that the interrupted one would have drawn.
    """

    def __init__(self, steps: int, batch: int, seed: int) -> None:
        super().__init__(workers=2, use_multiprocessing=False, max_queue_size=8)
        self.steps, self.batch, self.seed, self.epoch = steps, batch, seed, 0

    def __len__(self) -> int:
        return self.steps

    def rng(self, step: int) -> np.random.Generator:
        """Return the random generator of batch `step` of this epoch."""
        return np.random.default_rng((self.seed, self.epoch, step))
