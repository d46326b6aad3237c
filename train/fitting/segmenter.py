"""The stages of the segmenter's training: rough masks, masks drawn by hand, and a teacher's pseudo-labels."""

from collections.abc import Callable, Sequence
from pathlib import Path

import keras

from train.data.masks import MaskedBatches, MaskedImage
from train.fitting.mask_pools import drawn_pools, palettes, rough_pools
from train.fitting.pseudo_labels import pseudo_label
from train.fitting.settings import SegmenterEpochs
from train.fitting.training_loop import Loss, fit_once
from train.networks.losses import mask_loss, mask_loss_of_softmax
from train.networks.registry import NETWORKS
from train.networks.segmentation import gives_probabilities

STEPS, BATCH = 100, 16
ROUGH_RATE, DRAWN_RATE = 1.5e-3, 7e-4
DRAWN_STRENGTH = 0.4  # of the stain's variation in the later stages: at 1.0 pale cytoplasm vanishes in tinted glass
PSEUDO_SHARE = 0.8  # of pseudo-labelled fields, against 0.9 of those drawn by hand


def fit_rough(
    name: str,
    root: Path,
    out: Path,
    *,
    weights: str = "imagenet",
    epochs: int = SegmenterEpochs().rough,
    resume: bool = False,
) -> keras.Model:
    """Fit the segmenter called `name` to rough masks and save it as `out`/model.keras.

    `weights` is "imagenet" or "none", for a network that can start from ImageNet weights.
    """
    return fit_once(
        lambda: NETWORKS.find(name).create({"weights": weights}),
        lambda: MaskedBatches(rough_pools(root), STEPS, BATCH, seed=1),
        loss_of, out, epochs=epochs, rate=ROUGH_RATE, resume=resume,
    )  # fmt: skip


def fit_drawn(
    start: Path,
    root: Path,
    fields: Sequence[MaskedImage],
    out: Path,
    *,
    pseudo_labelled: Callable[[], list[MaskedImage]] = list,
    epochs: int = SegmenterEpochs().drawn,
    resume: bool = False,
) -> keras.Model:
    """Continue from the model saved at `start` with the masks drawn by hand `fields`; save it as `out`/model.keras.

    `pseudo_labelled` is called only if there is something to fit.
    """

    def batches() -> MaskedBatches:
        pools = [*drawn_pools(root, fields), (pseudo_labelled(), PSEUDO_SHARE)]
        return MaskedBatches(pools, STEPS, BATCH, seed=2, strength=DRAWN_STRENGTH, palettes=palettes(root))

    return fit_once(
        lambda: keras.models.load_model(start, compile=False), batches, loss_of, out,
        epochs=epochs, rate=DRAWN_RATE, resume=resume,
    )  # fmt: skip


def fit_self_trained(
    rough: Path,
    root: Path,
    fields: Sequence[MaskedImage],
    out: Path,
    *,
    epochs: SegmenterEpochs | None = None,
    resume: bool = False,
) -> keras.Model:
    """Fit a teacher to the masks drawn by hand `fields`, let it label our other fields, and fit a student to both.

    Both continue from the model saved at `rough`. 32 drawn fields show too few kinds of cell: self-training after
    Xie et al. 2020, "Self-training with noisy student improves ImageNet classification". Saves
    `out`/teacher/model.keras and `out`/model.keras.
    """
    epochs = epochs or SegmenterEpochs()
    if resume and (out / "model.keras").exists():
        return keras.models.load_model(out / "model.keras", compile=False)
    teacher = fit_drawn(rough, root, fields, out / "teacher", epochs=epochs.drawn, resume=resume)
    return fit_drawn(
        rough, root, fields, out, pseudo_labelled=lambda: pseudo_label(teacher, root), epochs=epochs.student,
        resume=resume,
    )  # fmt: skip


def loss_of(model: keras.Model) -> Loss:
    """Return the mask loss for the output of the segmenter `model`."""
    return mask_loss_of_softmax if gives_probabilities(model) else mask_loss
