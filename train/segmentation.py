"""Training the segmenter: first on many rough masks, then on the few drawn by hand, scored on those left out."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import keras
import numpy as np
from sklearn.model_selection import StratifiedKFold

from smear.images import list_images, read_image
from smear.metrics import dice
from smear.preprocess import (
    SCALE_BAR_BOX,
    ModelFrame,
    stitch,
    tile,
    tile_origins,
    to_frame_scale,
    to_model_scale,
    to_tensor,
)
from smear.stain import otsu_mask
from train import losses, models
from train.backbone import load_imagenet
from train.calibrate import softmax
from train.fit import fit_once
from train.masks import BG, CELL, IGNORE, NUC, PIXEL_SIZE_UM, Masked, MaskedBatches, drawn, foreign, rendered

ROUGH_EPOCHS, DRAWN_EPOCHS, STEPS, BATCH = 5, 4, 100, 16
ROUGH_RATE, DRAWN_RATE = 1.5e-3, 7e-4
DRAWN_STRENGTH = 0.4  # of the stain's variation in the second stage: at 1.0 pale cytoplasm is lost in tinted glass
WORST_SHARE = 0.2  # of the thresholded masks of a class, by contrast, left out: the threshold found nothing there
FOLDS = 4  # of the drawn masks: every fold leaves two fields of each class out
FOREIGN_SHARES = {"zheng_dataset1": 0.10, "zheng_dataset2": 0.10, "bccd": 0.12, "sigtuple": 0.08}
SYNTHETIC_FIELDS, SYNTHETIC_SEED = 300, 10_000


def thresholded(root: Path, left_out: set[str]) -> list[Masked]:
    """Return fields of `root`/taleqani with Otsu masks on Lab a*, but for names `left_out` and the worst fifth."""
    kept: list[Masked] = []
    for folder in sorted((root / "taleqani" / "Original").iterdir()):
        ranked = []
        for path in list_images(folder):
            if path.stem in left_out:
                continue
            image = read_image(path)
            codes = np.where(otsu_mask(image), CELL, BG).astype(np.uint8)
            codes[-SCALE_BAR_BOX[1] :, -SCALE_BAR_BOX[0] :] = IGNORE
            ranked.append((_contrast(image, codes == CELL), Masked(path.stem, folder.name, image, codes, (0.8, 1.25))))
        ranked.sort(key=lambda row: row[0])
        kept += [masked for _, masked in ranked[int(len(ranked) * WORST_SHARE) :]]
    return kept


def _contrast(image: np.ndarray, cell: np.ndarray) -> float:
    red_green = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)[..., 1].astype(np.float32)
    if not cell.any() or cell.all():
        return 0.0
    inside, outside = red_green[cell], red_green[~cell]
    return float((inside.mean() - outside.mean()) / (inside.std() + outside.std() + 1.0))


def rough_pools(root: Path) -> list[tuple[list[Masked], float]]:
    """Return what the first stage learns from: no drawn mask, and no picture that has one."""
    names = {masked.name for masked in drawn(root)}
    return [
        (thresholded(root, names), 0.45),
        (rendered(SYNTHETIC_FIELDS, SYNTHETIC_SEED), 0.1),
        *_foreign_pools(root, 1.0),
    ]


def drawn_pools(root: Path, fields: list[Masked]) -> list[tuple[list[Masked], float]]:
    """Return what the second stage learns from: the drawn masks `fields`, foreign and synthetic fields."""
    return [(fields, 0.9), (rendered(SYNTHETIC_FIELDS, SYNTHETIC_SEED), 0.15), *_foreign_pools(root, 0.9)]


def _foreign_pools(root: Path, share: float) -> list[tuple[list[Masked], float]]:
    return [(foreign(root, source, held_out=False), part * share) for source, part in FOREIGN_SHARES.items()]


def folds(fields: list[Masked]) -> list[tuple[list[Masked], list[Masked]]]:
    """Split the drawn masks into `FOLDS` (train, test) pairs, every class in each."""
    splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    classes = [masked.source for masked in fields]
    return [
        ([fields[i] for i in train], [fields[i] for i in test])
        for train, test in splitter.split(np.zeros(len(fields)), classes)
    ]


def fit_rough(
    name: str, root: Path, out: Path, *, weights: str = "imagenet", epochs: int = ROUGH_EPOCHS, resume: bool = False
) -> keras.Model:
    """Fit the segmenter called `name` on rough masks and save it as `out`/model.keras.

    `weights` is what `unet_light` starts from: "imagenet" or "none".
    """

    def start() -> keras.Model:
        model = build(name)
        if name == "unet_light" and weights == "imagenet":
            load_imagenet(model)
        return model

    return fit_once(
        start, lambda: MaskedBatches(rough_pools(root), STEPS, BATCH, seed=1), loss_of(name), out,
        epochs=epochs, rate=ROUGH_RATE, resume=resume,
    )  # fmt: skip


def fit_drawn(
    start: Path, root: Path, fields: list[Masked], out: Path, *, epochs: int = DRAWN_EPOCHS, resume: bool = False
) -> keras.Model:
    """Go on from the model saved at `start` with the drawn masks `fields`; save it as `out`/model.keras."""
    model = keras.models.load_model(start, compile=False)
    return fit_once(
        lambda: model, lambda: MaskedBatches(drawn_pools(root, fields), STEPS, BATCH, seed=2, strength=DRAWN_STRENGTH),
        loss_of(model.name), out, epochs=epochs, rate=DRAWN_RATE, resume=resume,
    )  # fmt: skip


def build(name: str) -> keras.Model:
    """Return a fresh segmenter by name: "unet" (the paper's) or "unet_light"."""
    return {"unet": models.unet, "unet_light": models.unet_light}[name]()


def loss_of(name: str) -> object:
    """Return the mask loss that fits the output of the segmenter called `name`."""
    return losses.mask_loss_of_softmax if name == "unet" else losses.mask_loss


Segment = Callable[[ModelFrame], np.ndarray]


def segment_with(model: keras.Model) -> Segment:
    """Return a function from a view to the probabilities float32 (h, w, 3) that `model` gives, tile by tile."""

    def segment(view: ModelFrame) -> np.ndarray:
        height, width = view.pixels.shape[:2]
        origins = tile_origins(height, width)
        tensors = np.concatenate([to_tensor(tile(view.pixels, origin)) for origin in origins])
        return stitch(list(_probabilities(model, tensors)), origins, (height, width))

    return segment


def _probabilities(model: keras.Model, tensors: np.ndarray) -> np.ndarray:
    out = np.asarray(model.predict_on_batch(tensors), np.float32)
    return out if model.name == "unet" else softmax(out)


@dataclass(frozen=True, slots=True)
class Score:
    """Dice of one picture; `nucleus` is None where nobody drew nuclei."""

    name: str
    source: str
    cell: float
    nucleus: float | None


def score(model: keras.Model, fields: list[Masked]) -> list[Score]:
    """Score `model` on `fields`, each brought to the models' scale first."""
    segment = segment_with(model)
    return [_score_one(segment, masked) for masked in fields]


def _score_one(segment: Segment, masked: Masked) -> Score:
    view = to_model_scale(masked.image, PIXEL_SIZE_UM.get(masked.source))
    probabilities = to_frame_scale(segment(view), view)
    known = masked.codes != IGNORE
    cell = probabilities[..., 0] < 0.5
    nucleus = None
    if (masked.codes == NUC).any():
        nucleus = dice(cell & (probabilities[..., 2] >= probabilities[..., 1]) & known, masked.codes == NUC)
    return Score(masked.name, masked.source, dice(cell & known, (masked.codes != BG) & known), nucleus)
