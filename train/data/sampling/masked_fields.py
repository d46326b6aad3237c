"""Whole fields with their cells on a neutral background, and the augmented batches that `smearnet` fits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from smear.classes import LABELS
from smear.imaging.cell_detection import clear_of_scale_bar, find_cells
from smear.imaging.masking import NEUTRAL, background_of, without_scale_bar, without_scale_bar_pixels
from smear.imaging.resampling import FIELD_SIZE, ModelFrame
from smear.imaging.stain_normalization import (
    background_colour,
    normalization_gains,
    normalization_table,
    optical_density,
)
from smear.imaging.tiling import tile
from train.data.masks import BG, MaskedImage
from train.data.sampling.batches import RandomBatches
from train.data.sampling.crops import Stored, random_affine, roughen
from train.data.variation import augmentation
from train.data.variation.dye_variation import dye_matrix

OTHER_SHARE = 0.15  # of a batch: negatives, which show no cell of the four classes
SYNTHETIC_SHARE = 0.05  # of a batch: rendered fields, so that the demonstration's slides are in distribution
STAIN = (0.40, 0.55)  # mean density of red and green above glass that all cells are normalised to: about the data set's
JPEG_QUALITY = (20, 95)
SHIFT_PX = 30  # by which a field is moved at most: cells at its edge are cut off, as on any slide
_DENSITY = optical_density(np.arange(256, dtype=np.float32))  # of each grey value

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class MaskedFields(Stored):
    """Fields at the models' scale.

    `pixels` is uint8 (n, 224, 224, 4): RGB, and 255 where a leukocyte is, else 0.
    `cells` is float32 (m, 4): field index, centre x and y in pixels, and weight of each cell.
    """

    pixels: Pixels
    label: NDArray[np.int32]  # (n,)
    cells: NDArray[np.float32]
    files: tuple[str, ...]

    def of(self, files: set[str]) -> "MaskedFields":
        """Return the fields called `files` alone."""
        keep = np.array([name in files for name in self.files])
        number = np.cumsum(keep) - 1
        cells = self.cells[keep[self.cells[:, 0].astype(int)]].copy()
        cells[:, 0] = number[cells[:, 0].astype(int)]
        return MaskedFields(
            self.pixels[keep], self.label[keep], cells, tuple(name for name in self.files if name in files)
        )


def mask_field(view: ModelFrame, probabilities: NDArray[np.float32]) -> tuple[Pixels, NDArray[np.float32]]:
    """Return one field as uint8 (224, 224, 4) and its cells as float32 (n, 3): centre x, y and weight.

    `probabilities` is the segmenter's float (h, w, 3), on its grid; cells are split and selected as on the device.
    """
    detection = find_cells(probabilities, view)
    chosen = [detection.cells[i] for i in clear_of_scale_bar(view, detection.cells)]
    seen = with_mask(without_scale_bar(view), without_scale_bar_pixels(view, detection.cell))
    pixels = normalize_stain(seen, background_of(view, detection.cell))
    rows = [(*cell.centre, cell.weight) for cell in chosen]
    return tile(pixels, (0, 0)), np.array(rows, np.float32).reshape(-1, 3)


def normalize_stain(pixels: Pixels, glass: NDArray[Any]) -> Pixels:
    """Return uint8 (h, w, 4) with its cells stained to `STAIN`, as on the device, and its background along with them.

    `glass` is float (3,) RGB in 0..255.
    """
    cell = pixels[..., 3] > 127
    if not cell.any():
        return pixels
    image = np.ascontiguousarray(pixels[..., :3])
    return np.dstack([cv2.LUT(image, normalization_table(image, cell, glass, STAIN)), pixels[..., 3]])


def normalize_stains(masked: Sequence[MaskedImage]) -> list[MaskedImage]:
    """Return masked pictures after stain normalisation, with the glass of each taken from itself."""
    found = []
    for one in masked:
        seen, glass = with_mask(one.image, one.codes != BG), background_colour(one.image, one.codes != BG)
        found.append(replace(one, image=normalize_stain(seen, glass)[..., :3]))
    return found


def on_neutral_background(pixels: Pixels) -> NDArray[np.float32]:
    """Return float32 (n, h, w, 3) in 0..1: what the classifier is shown of uint8 (n, h, w, 4)."""
    neutral = np.float32(NEUTRAL / 255.0)
    return np.where(pixels[..., 3:] > 127, pixels[..., :3].astype(np.float32) / 255.0, neutral)


@dataclass(frozen=True, slots=True)
class Variation:
    """How strongly fields are augmented."""

    dyes: float = 0.4  # of the amount of each dye, as a logarithm: drawn before the stain is normalised again
    mixing: float = 0.04  # of the density's channels into one another: another stain batch
    gain: float = 0.06  # of the optical density: the error that stain normalisation leaves
    tint: float = 0.04  # of the light: the error that the correction for the glass leaves
    zoom: float = 0.12
    edge_px: int = 1  # by which the mask is dilated or eroded: the segmenter's own error
    blur: float = 0.3  # share of fields that are blurred
    jpeg: float = 0.35  # share of fields that are recompressed, as a USB camera's stream is


class MaskedFieldBatches(RandomBatches):
    """Class-balanced batches of augmented fields: x float32 (n, 224, 224, 3) in 0..1, y int32 (n,).

    `others` are masked pictures of no cell of the four classes, `synthetic` rendered fields. Without `others`, what
    belongs to no class is made from the fields alone.
    """

    def __init__(
        self,
        fields: MaskedFields,
        others: Sequence[MaskedImage],
        synthetic: Sequence[MaskedImage],
        steps: int,
        batch: int,
        seed: int,
        variation: Variation,
    ) -> None:
        super().__init__(steps, batch, seed)
        self.fields, self.others, self.synthetic, self.variation = fields, others, synthetic, variation
        self.by_class = [np.flatnonzero(fields.label == label) for label in np.unique(fields.label)]

    def __getitem__(self, step: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Return batch `step` of this epoch."""
        rng = self.rng(step)
        chosen = [self._one(rng) for _ in range(self.batch)]
        x = np.stack([vary_stain(pixels, rng, self.variation) for pixels, _ in chosen])
        return x, np.array([label for _, label in chosen], np.int32)

    def _one(self, rng: np.random.Generator) -> tuple[Pixels, int]:
        kind = rng.random()
        if kind < OTHER_SHARE:
            return self._negative(rng), len(LABELS)
        if kind < OTHER_SHARE + SYNTHETIC_SHARE and self.synthetic:
            picked = self.synthetic[int(rng.integers(len(self.synthetic)))]
            pixels = with_mask(picked.image, picked.codes != BG)
            return transform(pixels, rng, self.variation), LABELS.index(picked.source)
        rows = self.by_class[int(rng.integers(len(self.by_class)))]
        row = rows[rng.integers(len(rows))]
        return transform(self.fields.pixels[row], rng, self.variation), int(self.fields.label[row])

    def _negative(self, rng: np.random.Generator) -> Pixels:
        """Return normal leukocytes of another laboratory, or a field whose cells were made into something else."""
        if self.others and rng.random() < 0.5:
            picked = self.others[int(rng.integers(len(self.others)))]
            image, codes = augmentation.random_crop(picked.image, picked.codes, rng, FIELD_SIZE, picked.zoom)
            return with_mask(image, codes != BG)
        field = transform(self.fields.pixels[rng.integers(len(self.fields.label))], rng, self.variation)
        return NEGATIVES[int(rng.integers(len(NEGATIVES)))](field, rng)


def with_mask(image: Pixels, cell: NDArray[np.bool_]) -> Pixels:
    """Return RGB uint8 (h, w, 3) with a fourth channel: 255 where bool (h, w) `cell`, else 0."""
    return np.dstack([image, np.where(cell, np.uint8(255), np.uint8(0))])


def transform(field: Pixels, rng: np.random.Generator, variation: Variation) -> Pixels:
    """Rotate, mirror, zoom and shift uint8 (224, 224, 4), blur and recompress it, and move its outlines."""
    matrix = random_affine(FIELD_SIZE, variation.zoom, rng)
    matrix[:, 2] += rng.uniform(-SHIFT_PX, SHIFT_PX, 2)
    moved = cv2.warpAffine(
        field, matrix, (FIELD_SIZE, FIELD_SIZE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT,
        borderValue=(NEUTRAL, NEUTRAL, NEUTRAL, 0),
    )  # fmt: skip
    out = np.asarray(moved, np.uint8)
    roughen(out, variation.edge_px, variation.blur, rng)
    if rng.random() < variation.jpeg:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(*JPEG_QUALITY))]
        _, data = cv2.imencode(".jpg", out[..., 2::-1], quality)  # as BGR: JPEG subsamples colour, not luminance
        out[..., :3] = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), np.uint8)
    return out


def vary_stain(field: Pixels, rng: np.random.Generator, variation: Variation) -> NDArray[np.float32]:
    """Return uint8 (h, w, 4) as float32 (h, w, 3) in 0..1 under another stain and light, on a neutral background.

    The stain is normalised again after it was varied. What normalisation cannot undo is the balance between the two
    dyes within a cell.
    """
    blue, eosin = np.exp(rng.uniform(-variation.dyes, variation.dyes, 2))
    batch = dye_matrix(blue, eosin) + rng.normal(0, variation.mixing, (3, 3))
    density = cv2.transform(cv2.LUT(np.ascontiguousarray(field[..., :3]), _DENSITY), batch.T)
    mean = np.array(cv2.mean(density, (field[..., 3] > 127).view(np.uint8))[:3])
    gains = normalization_gains(mean, STAIN) * rng.uniform(1 - variation.gain, 1 + variation.gain)
    tint = -np.log(rng.uniform(1 - variation.tint, 1.0, 3))
    corrected = cv2.transform(density, np.column_stack([np.diag(gains), tint]))
    image = np.asarray(cv2.exp(-np.clip(corrected, 0.0, 5.0)), np.float32)
    return np.where(field[..., 3:] > 127, image, np.float32(NEUTRAL / 255.0))


def hue_shifted(field: Pixels, rng: np.random.Generator) -> Pixels:
    """Return the field in a hue that no Romanowsky stain has."""
    return np.dstack([augmentation.shift_hue(field[..., :3], rng), field[..., 3]])


def defocused(field: Pixels, rng: np.random.Generator) -> Pixels:
    """Return the field blurred more than any picture in focus."""
    return np.dstack([augmentation.defocus(field[..., :3], rng), field[..., 3]])


def shuffled(field: Pixels, rng: np.random.Generator) -> Pixels:
    """Return the field with the pixels of its cells in random order: their colours without their shapes."""
    colours = field[..., :3].reshape(-1, 3)
    inside = field[..., 3].ravel() > 127
    out = colours.copy()
    out[inside] = rng.permutation(colours[inside])
    return np.dstack([out.reshape((*field.shape[:2], 3)), field[..., 3]])


def background_cut_out(field: Pixels, rng: np.random.Generator) -> Pixels:
    """Return the field with a mask of its cells' shapes, moved so that it shows background."""
    inside = field[..., 3] > 127
    near = cv2.dilate(inside.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    beside = np.roll(inside, rng.integers(24, 200, 2), (0, 1)) & ~near
    return with_mask(field[..., :3], beside)


def tissue(field: Pixels, rng: np.random.Generator) -> Pixels:
    """Return a field filled with the inside of its cells, under a mask of random shapes: dense, as cut tissue is."""
    rows, columns = np.nonzero(field[..., 3] > 127)
    edge = int(rng.integers(14, 40))
    if not len(rows):
        return shuffled(field, rng)
    at = rng.integers(len(rows))
    y, x = (int(np.clip(v[at] - edge // 2, 0, FIELD_SIZE - edge)) for v in (rows, columns))
    patch = np.ascontiguousarray(field[y : y + edge, x : x + edge, :3])
    beside = np.hstack([patch, patch[:, ::-1]])
    whole = np.tile(np.vstack([beside, beside[::-1]]), (4, 4, 1))
    enlarged = cv2.resize(whole, None, fx=float(rng.uniform(1, 4)), fy=float(rng.uniform(1, 4)))
    image = np.ascontiguousarray(np.tile(enlarged, (4, 4, 1))[:FIELD_SIZE, :FIELD_SIZE], np.uint8)
    noise = rng.normal(0, 1, (FIELD_SIZE, FIELD_SIZE)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), float(rng.uniform(4, 10)))
    shapes = np.asarray(smooth > np.quantile(smooth, rng.uniform(0.3, 0.8)))
    return with_mask(image, shapes)


NEGATIVES: tuple[Callable[[Pixels, np.random.Generator], Pixels], ...] = (
    hue_shifted, defocused, shuffled, background_cut_out, tissue,
)  # fmt: skip
"""Ways to turn a field into one without a cell of the four classes."""
