"""Every picture with a mask, from whatever source, at the models' scale and with one set of codes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from smear.classes import LABELS
from smear.errors import DatasetError
from smear.findings import CYTOPLASM, NUCLEUS
from smear.images import read_image
from smear.imaging.resampling import FIELD_SIZE, MODEL_PIXEL_SIZE_UM
from smear.synthetic import render
from train.data.sampling.batches import RandomBatches
from train.data.variation import augmentation

BG, CYTO, NUC, CELL, IGNORE = 0, 1, 2, 3, 255
"""Codes of a target. CELL: leukocyte whose nucleus was not outlined. IGNORE: counts in no loss and no score."""

FOREIGN = "wbc_masks"
"""Folder of the public data sets with masks of white cells, below the root of the training data."""

PIXEL_SIZE_UM = {
    # estimated from red cells (7.2 µm) where there are any, else from neutrophils (12 µm)
    "zheng_dataset1": 0.18,
    "zheng_dataset2": 0.068,
    "bccd": 0.09,
    "sigtuple": 0.27,
}
RECOLOURED = 0.6  # share of foreign pictures shown in the colours of our fields, where palettes are given
HELD_OUT_EVERY = 5  # every fifth picture of each foreign source is never trained on
FIELD_ZOOM = (0.8, 1.25)  # of our own fields: the range of magnification errors that a model must tolerate


@dataclass(frozen=True, slots=True, eq=False)
class MaskedImage:
    """One picture with its target."""

    name: str
    source: str
    image: NDArray[np.uint8]  # RGB (h, w, 3)
    codes: NDArray[np.uint8]  # (h, w)
    zoom: tuple[float, float]  # factors that bring it to the scales a model may be shown
    objects: NDArray[Any] | None = None  # int (h, w), one label for each intact cell, where cells were outlined singly


def foreign_masks(root: Path, source: str, held_out: bool) -> list[MaskedImage]:
    """Return the pictures of `root`/wbc_masks/`source`: the held-out fifth, or the others.

    Raises:
        DatasetError: there are none, a picture has no mask, or cannot be read.
    """
    folder = root / FOREIGN / source
    if not (folder / "images").is_dir():
        raise DatasetError(f"{folder}: no such folder with images and masks; copy the public masks there")
    found = []
    for index, path in enumerate(sorted((folder / "images").iterdir())):
        if (index % HELD_OUT_EVERY == 0) != held_out:
            continue
        mask = cv2.imread(str(folder / "masks" / f"{path.stem}.png"), cv2.IMREAD_GRAYSCALE)
        if mask is None:
            raise DatasetError(f"{folder}/masks: no mask for {path.name}; copy the data again")
        bgr = cv2.imread(str(path))  # not `read_image`: some are palette pictures or grey
        if bgr is None:
            raise DatasetError(f"{path}: cannot be read as a picture; copy the data again")
        _require_one_size(path, bgr, mask)
        with_nucleus = source != "sigtuple"
        cytoplasm, nucleus = (CYTO, NUC) if with_nucleus else (CELL, CELL)
        codes = np.where(mask > 192, nucleus, np.where(mask > 64, cytoplasm, BG)).astype(np.uint8)
        physical = PIXEL_SIZE_UM[source] / MODEL_PIXEL_SIZE_UM
        whole = FIELD_SIZE / max(mask.shape)
        zoom = (min(physical, whole) * 0.85, max(physical, min(whole, 2.2)) * 1.1)
        image = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
        found.append(MaskedImage(path.stem, source, image, codes, zoom))
    return found


def hand_drawn_masks(root: Path) -> list[MaskedImage]:
    """Return the fields of `root`/taleqani_masks: cells outlined whole, doubtful ones ignored.

    Raises:
        DatasetError: there are none, or one cannot be read.
    """
    found = []
    for path in sorted((root / "taleqani_masks").glob("*/*.png")):
        if path.stem.endswith("_cells"):
            continue
        mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if mask is None:
            raise DatasetError(f"{path}: cannot be read as a mask; copy the data again")
        codes = np.where(mask == NUCLEUS, CELL, np.where(mask == CYTOPLASM, IGNORE, BG)).astype(np.uint8)
        image = read_image(root / "taleqani" / "Original" / path.parent.name / f"{path.stem}.jpg")
        _require_one_size(path, image, mask)
        cells = path.with_name(f"{path.stem}_cells.png")
        single = cv2.imread(str(cells), cv2.IMREAD_UNCHANGED) if cells.is_file() else None
        objects = None if single is None else np.where(codes == CELL, single.astype(int), 0)
        found.append(MaskedImage(path.stem, path.parent.name, image, codes, FIELD_ZOOM, objects))
    if not found:
        raise DatasetError(f"{root}/taleqani_masks: no masks found; give the folder that holds it")
    return found


def _require_one_size(path: Path, image: NDArray[Any], mask: NDArray[Any]) -> None:
    (height, width), (rows, columns) = image.shape[:2], mask.shape[:2]
    if (height, width) != (rows, columns):
        raise DatasetError(
            f"{path}: its mask has {columns}x{rows} pixels, the picture {width}x{height}; draw it on the picture itself"
        )


def synthetic_masks(count: int, seed: int) -> list[MaskedImage]:
    """Return rendered fields of all classes with their exact masks; `source` is the class."""
    fields = []
    for number in range(seed, seed + count):
        label = LABELS[(number - seed) % len(LABELS)]
        field = render(label, number)
        codes = np.select([field.mask.nucleus, field.mask.cell], [NUC, CYTO], BG).astype(np.uint8)
        fields.append(MaskedImage(f"rendered-{number}", label, field.image, codes, FIELD_ZOOM))
    return fields


class MaskedBatches(RandomBatches):
    """Augmented batches: x float32 (n, 224, 224, 3) in 0..1 and y uint8 (n, 224, 224) of codes.

    `pools` is a list of (pictures, share of a batch), empty ones left out. `palettes` are those of the fields that the
    model is for.
    """

    def __init__(
        self,
        pools: Sequence[tuple[Sequence[MaskedImage], float]],
        steps: int,
        batch: int,
        seed: int,
        strength: float = 1.0,
        palettes: Sequence[augmentation.Palette] = (),
    ) -> None:
        super().__init__(steps, batch, seed)
        pools = [(pictures, share) for pictures, share in pools if pictures]
        self.pools = [pictures for pictures, _ in pools]
        total = sum(share for _, share in pools)
        self.shares = [share / total for _, share in pools]
        self.strength, self.palettes = strength, palettes

    def __getitem__(self, step: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Return batch `step` of this epoch."""
        rng = self.rng(step)
        pairs = list(self._pairs(rng))
        return np.stack([x for x, _ in pairs]).astype(np.float32) / 255.0, np.stack([y for _, y in pairs])

    def _pairs(self, rng: np.random.Generator) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
        for _ in range(self.batch):
            pool = self.pools[rng.choice(len(self.pools), p=self.shares)]
            picked = pool[int(rng.integers(len(pool)))]
            image, codes = augmentation.random_crop(picked.image, picked.codes, rng, FIELD_SIZE, picked.zoom)
            if self.palettes and picked.source in PIXEL_SIZE_UM and rng.random() < RECOLOURED:
                image = augmentation.recolour(image, self.palettes[int(rng.integers(len(self.palettes)))], rng)
            if rng.random() < 0.8:
                image = augmentation.vary_stain(image, rng, self.strength)
            image = augmentation.degrade(image, rng)
            if rng.random() < 0.3:
                image = augmentation.add_scale_bar(image, rng)
            yield image, codes
