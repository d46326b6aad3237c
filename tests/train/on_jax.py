"""Fits networks for an epoch of one batch on the backend of KERAS_BACKEND; argv is a folder to work in, and names."""

import sys
from pathlib import Path

import keras
import numpy as np

from smear.classes import LABELS
from smear.images import write_image
from train.data.sampling.batches import RandomBatches
from train.data.sampling.crops import BAG
from train.fitting import compared_networks
from train.fitting.classifier import cell_loss, map_loss
from train.fitting.segmenter import loss_of
from train.fitting.settings import Budget
from train.fitting.training_loop import fit
from train.networks.registry import NETWORKS, NetworkSpec

SIZE = 32  # of the input, where a network takes one as small


class Noise(RandomBatches):
    """A batch of random pictures: with a class each, or a mask."""

    def __init__(self, size: int, masks: bool) -> None:
        super().__init__(1, BAG, 0)
        self.size, self.truth = size, (BAG, size, size) if masks else (BAG,)

    def __getitem__(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        rng = self.rng(step)
        pictures = rng.random((BAG, self.size, self.size, 3), np.float32)
        return pictures, rng.integers(0, 3, self.truth, np.uint8)


def fit_network(spec: NetworkSpec, folder: Path) -> None:
    size = max(SIZE, spec.smallest_px)
    if spec.shown == "field" and spec.comparable:
        fields = [(folder / f"{label}.png", label) for label in LABELS]
        budget = Budget(epochs=1, size=size, steps=1)
        row = compared_networks.run(spec, fields, fields, LABELS, folder / spec.name, budget, 0)
        assert row["multiply_adds"] > 0
        return
    model = spec.create({"size": size})
    masks = spec.task == "segmentation"
    loss = loss_of(model) if masks else {"cells": map_loss, "crops": cell_loss}[spec.shown]
    history = fit(model, Noise(size, masks), loss, folder / spec.name, epochs=1, rate=1e-3, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


if __name__ == "__main__":
    root = Path(sys.argv[1])
    for number, label in enumerate(LABELS):
        write_image(root / f"{label}.png", np.random.default_rng(number).integers(0, 255, (224, 224, 3), np.uint8))
    for name in sys.argv[2:]:
        fit_network(NETWORKS.find(name), root)
        sys.stdout.write(f"{keras.config.backend()} {name}\n")
