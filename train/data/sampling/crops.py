"""Cells cut out of fields, kept with their masks, and the augmented batches that a classifier of single cells fits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from smear.imaging.cell_detection import clear_of_scale_bar, find_cells
from smear.imaging.masking import CROP_SIZE, NEUTRAL
from smear.imaging.resampling import ModelFrame
from smear.imaging.stain_normalization import optical_density
from train.data.sampling.batches import RandomBatches

BAG = 8  # cells of one field whose logits are averaged in training
MARGIN = 8  # context kept around each crop, in model pixels, so that rotation and zoom never run out of picture
CUT_SIZE = CROP_SIZE + 2 * MARGIN

Segment = Callable[[ModelFrame], NDArray[np.float32]]
"""A segmenter: a frame at model scale to float (h, w, 3) of background, cytoplasm and nucleus on the model's grid."""


class Stored:
    """A dataclass of arrays, and of `files` that their rows belong to, as an .npz file."""

    __slots__ = ()

    def save(self, path: Path) -> None:
        """Write to `path`."""
        np.savez(path, **{each.name: np.asarray(getattr(self, each.name)) for each in fields(self)})  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        with np.load(path) as data:
            return cls(**{**data, "files": tuple(map(str, data["files"]))})


@dataclass(frozen=True, slots=True, eq=False)
class Crops(Stored):
    """Every cell of a set of fields.

    `pixels` is uint8 (n, CUT_SIZE, CUT_SIZE, 4): RGB, and 255 where a leukocyte is, else 0.
    """

    pixels: NDArray[np.uint8]
    field: NDArray[np.int32]  # (n,): index into `files`
    label: NDArray[np.int32]  # (n,): class of the field
    weight: NDArray[np.float32]  # (n,): weight of the cell in its field, see smear.imaging.cell_detection
    files: tuple[str, ...]

    def of(self, files: set[str]) -> "Crops":
        """Return the crops of `files` alone."""
        wanted = np.array([name in files for name in self.files])
        keep = wanted[self.field]
        return Crops(self.pixels[keep], self.field[keep], self.label[keep], self.weight[keep], self.files)

    @staticmethod
    def of_field(name: str, label: int, pixels: NDArray[np.uint8], weights: NDArray[np.float32]) -> "Crops":
        """Return the cells of one field, as `cut_cells` gave them."""
        count = len(pixels)
        return Crops(pixels, np.zeros(count, np.int32), np.full(count, label, np.int32), weights, (name,))


def joined(parts: Sequence[Crops]) -> Crops:
    """Return all cells of `parts` in one."""
    offsets = np.cumsum([0] + [len(part.files) for part in parts[:-1]])
    return Crops(
        np.concatenate([part.pixels for part in parts]),
        np.concatenate([part.field + offset for part, offset in zip(parts, offsets, strict=True)]).astype(np.int32),
        np.concatenate([part.label for part in parts]),
        np.concatenate([part.weight for part in parts]),
        tuple(name for part in parts for name in part.files),
    )


def cut_cells(view: ModelFrame, probabilities: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return the cells of one field: uint8 (n, CUT_SIZE, CUT_SIZE, 4) and the weight of each, float32 (n,).

    `probabilities` is the segmenter's float (h, w, 3), on its grid; cells are split and selected as on the device.
    """
    detection = find_cells(probabilities, view)
    chosen = [detection.cells[i] for i in clear_of_scale_bar(view, detection.cells)]
    half = CUT_SIZE // 2
    pixels = cv2.copyMakeBorder(view.pixels, half, half, half, half, cv2.BORDER_REFLECT)
    labels = cv2.copyMakeBorder(detection.labels, half, half, half, half, cv2.BORDER_CONSTANT, value=0)
    found = np.empty((len(chosen), CUT_SIZE, CUT_SIZE, 4), np.uint8)
    for row, cell in enumerate(chosen):
        x, y = round(cell.centre[0]), round(cell.centre[1])
        window = np.s_[y : y + CUT_SIZE, x : x + CUT_SIZE]
        found[row, ..., :3] = pixels[window]
        found[row, ..., 3] = np.where(labels[window] > 0, 255, 0)
    return found, np.array([cell.weight for cell in chosen], np.float32)


def on_neutral_background(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return uint8 (n, CROP_SIZE, CROP_SIZE, 3): each cell of (n, CUT_SIZE, CUT_SIZE, 4) on a neutral background."""
    inner = pixels[:, MARGIN:-MARGIN, MARGIN:-MARGIN]
    return np.where(inner[..., 3:] > 127, inner[..., :3], np.uint8(NEUTRAL))


@dataclass(frozen=True, slots=True)
class Variation:
    """How strongly crops are augmented."""

    gain: float = 0.15  # of the optical density: a stain left longer or shorter
    mixing: float = 0.04  # of the density's channels into one another: another stain batch
    tint: float = 0.08  # of the light: white balance off
    zoom: float = 0.12
    edge_px: int = 1  # by which the mask is dilated or eroded: the segmenter's own error
    blur: float = 0.3  # share of crops that are blurred


class CropBatches(RandomBatches):
    """Class-balanced batches of augmented crops: x float32 (n, s, s, 3) in 0..1, y int32 (n,).

    Each run of `BAG` crops is from one field, under one stain and light, as on a device.
    """

    def __init__(self, crops: Crops, steps: int, batch: int, seed: int, variation: Variation) -> None:
        super().__init__(steps, batch, seed)
        self.crops, self.variation = crops, variation
        self.by_class = [_by_field(crops, label) for label in np.unique(crops.label)]

    def __getitem__(self, step: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Return batch `step` of this epoch."""
        rng = self.rng(step)
        # class, then field, then cells: a crowded field weighs no more than a sparse one
        chosen = []
        for label in rng.integers(len(self.by_class), size=self.batch // BAG):
            fields = self.by_class[label]
            cells = fields[int(rng.integers(len(fields)))]
            chosen.append(rng.choice(cells, BAG, replace=len(cells) < BAG))
        rows = np.concatenate(chosen)
        return vary(self.crops.pixels[rows], rng, self.variation), self.crops.label[rows]


def _by_field(crops: Crops, label: int) -> list[NDArray[Any]]:
    rows = np.flatnonzero(crops.label == label)
    order = rows[np.argsort(crops.field[rows], kind="stable")]
    return np.split(order, np.flatnonzero(np.diff(crops.field[order])) + 1)


def vary(pixels: NDArray[np.uint8], rng: np.random.Generator, variation: Variation) -> NDArray[np.float32]:
    """Augment uint8 (n, CUT_SIZE, CUT_SIZE, 4) and crop it to float32 (n, s, s, 3) in 0..1; n in bags.

    Geometry differs from cell to cell, stain and light from bag to bag.
    """
    count = len(pixels)
    moved = np.empty((count, CROP_SIZE, CROP_SIZE, 4), np.uint8)
    for row in range(count):
        moved[row] = _transformed(pixels[row], rng, variation)
    density = optical_density(moved[..., :3].astype(np.float32))
    bags = count // BAG
    gain = rng.uniform(1 - variation.gain, 1 + variation.gain, (bags, 1, 1))
    mixing = np.repeat(np.eye(3) * gain + rng.normal(0, variation.mixing, (bags, 3, 3)), BAG, axis=0)
    density = density.reshape(count, -1, 3) @ mixing.astype(np.float32)
    tint = np.repeat(-np.log(rng.uniform(1 - variation.tint, 1.0, (bags, 1, 3))), BAG, axis=0).astype(np.float32)
    image = np.exp(-np.clip(density + tint, 0.0, 5.0)).reshape(count, CROP_SIZE, CROP_SIZE, 3)
    return np.where(moved[..., 3:] > 127, image, np.float32(NEUTRAL / 255.0))


def _transformed(crop: NDArray[np.uint8], rng: np.random.Generator, variation: Variation) -> NDArray[np.uint8]:
    matrix = random_affine(CUT_SIZE, variation.zoom, rng)
    matrix[:, 2] += rng.uniform(-2, 2, 2) - MARGIN
    moved = cv2.warpAffine(crop, matrix, (CROP_SIZE, CROP_SIZE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    out = np.asarray(moved, np.uint8)
    roughen(out, variation.edge_px, variation.blur, rng)
    return out


def random_affine(edge: int, zoom: float, rng: np.random.Generator) -> NDArray[Any]:
    """Return float (2, 3): a random rotation, zoom and mirroring about the middle of a square of `edge` pixels.

    The logarithm of the scale is drawn from -`zoom` to `zoom`.
    """
    scale = float(np.exp(rng.uniform(-zoom, zoom)))
    matrix: NDArray[Any] = cv2.getRotationMatrix2D((edge / 2, edge / 2), rng.uniform(0, 360), scale)
    if rng.random() < 0.5:
        matrix = matrix @ np.array([[-1, 0, edge], [0, 1, 0], [0, 0, 1.0]])
    return matrix


def roughen(pixels: NDArray[np.uint8], edge_px: int, blurred: float, rng: np.random.Generator) -> None:
    """Dilate or erode the cells of uint8 (h, w, 4) by up to `edge_px` in place; blur a share `blurred` of pictures."""
    by_px = int(rng.integers(-edge_px, edge_px + 1))
    if by_px:
        kernel = np.ones((2 * abs(by_px) + 1,) * 2, np.uint8)
        pixels[..., 3] = (cv2.dilate if by_px > 0 else cv2.erode)(pixels[..., 3], kernel)
    if rng.random() < blurred:
        pixels[..., :3] = cv2.GaussianBlur(pixels[..., :3], (0, 0), float(rng.uniform(0.4, 1.3)))
