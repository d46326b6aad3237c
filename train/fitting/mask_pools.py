"""The pools of masked pictures that each stage of the segmenter's training draws its batches from."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from smear.images import list_images, read_image
from smear.imaging.masking import SCALE_BAR_BOX
from smear.imaging.stain_normalization import otsu_mask
from train.data.masks import (
    BG,
    CELL,
    FIELD_ZOOM,
    IGNORE,
    MaskedImage,
    foreign_masks,
    hand_drawn_masks,
    synthetic_masks,
)
from train.data.variation.augmentation import Palette, palette_of

WORST_SHARE = 0.2  # of the thresholded masks of a class, by contrast, left out: the threshold found nothing there
RING_PX = 4  # around a thresholded cell that is ignored: a threshold stops short of pale cytoplasm
FOLDS = 4  # of the masks drawn by hand: every fold holds out two fields of each class
FOREIGN_SHARES = {"zheng_dataset1": 0.10, "zheng_dataset2": 0.10, "bccd": 0.12, "sigtuple": 0.08}
DRAWN_SHARE, BENIGN_SHARE = 0.6, 0.3  # the benign fields hold the most kinds of cell
SYNTHETIC_FIELDS, SYNTHETIC_SEED = 300, 10_000
PALETTE_EVERY = 7  # of our fields: one in so many gives its palette

Pool = tuple[list[MaskedImage], float]
"""Pictures, and their share of a batch."""


def threshold_masks(root: Path, left_out: set[str]) -> list[MaskedImage]:
    """Return fields of `root`/taleqani with Otsu masks on Lab a*, without the names `left_out` and the worst fifth."""
    kept: list[MaskedImage] = []
    ring = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * RING_PX + 1,) * 2)
    for folder in class_folders(root):
        ranked = []
        for path in list_images(folder):
            if path.stem in left_out:
                continue
            image = read_image(path)
            cell = otsu_mask(image)
            around = cv2.dilate(cell.astype(np.uint8), ring) > 0
            codes = np.select([cell, around], [CELL, IGNORE], BG).astype(np.uint8)
            codes[-SCALE_BAR_BOX[1] :, -SCALE_BAR_BOX[0] :] = IGNORE
            masked = MaskedImage(path.stem, folder.name, image, codes, FIELD_ZOOM)
            ranked.append((_contrast(image, codes == CELL), masked))
        ranked.sort(key=lambda row: row[0])
        kept += [masked for _, masked in ranked[int(len(ranked) * WORST_SHARE) :]]
    return kept


def class_folders(root: Path) -> list[Path]:
    """Return the folders of our fields, one for each class."""
    return sorted((root / "taleqani" / "Original").iterdir())


def _contrast(image: NDArray[np.uint8], cell: NDArray[np.bool_]) -> float:
    red_green = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)[..., 1].astype(np.float32)
    if not cell.any() or cell.all():
        return 0.0
    inside, outside = red_green[cell], red_green[~cell]
    return float((inside.mean() - outside.mean()) / (inside.std() + outside.std() + 1.0))


def rough_pools(root: Path) -> list[Pool]:
    """Return the pools of the first stage: no mask drawn by hand, and no picture that has one."""
    names = {masked.name for masked in hand_drawn_masks(root)}
    return [
        (threshold_masks(root, names), 0.45),
        (synthetic_masks(SYNTHETIC_FIELDS, SYNTHETIC_SEED), 0.1),
        *_foreign_pools(root),
    ]


def drawn_pools(root: Path, fields: Sequence[MaskedImage]) -> list[Pool]:
    """Return the pools of the later stages: the masks drawn by hand `fields`, foreign and synthetic fields."""
    return [
        ([masked for masked in fields if masked.source != "Benign"], DRAWN_SHARE),
        ([masked for masked in fields if masked.source == "Benign"], BENIGN_SHARE),
        (synthetic_masks(SYNTHETIC_FIELDS, SYNTHETIC_SEED), 0.15),
        *_foreign_pools(root),
    ]


def _foreign_pools(root: Path) -> list[Pool]:
    return [(foreign_masks(root, source, held_out=False), share) for source, share in FOREIGN_SHARES.items()]


def folds(fields: list[MaskedImage]) -> list[tuple[list[MaskedImage], list[MaskedImage]]]:
    """Split the masks drawn by hand into `FOLDS` (train, test) pairs, every class in each."""
    splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    classes = [masked.source for masked in fields]
    return [
        ([fields[i] for i in train], [fields[i] for i in test])
        for train, test in splitter.split(np.zeros(len(fields)), classes)
    ]


def palettes(root: Path) -> list[Palette]:
    """Return the palettes of a sample of our fields."""
    paths = [path for folder in class_folders(root) for path in list_images(folder)]
    return [palette_of(read_image(path)) for path in paths[::PALETTE_EVERY]]
