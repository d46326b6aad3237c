"""Whole fields whose cells lie on neutral ground, and the endlessly varied batches `smearnet` learns from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

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
from train.data import augmentation
from train.data.batches import DrawnBatches
from train.data.dye_variation import dyed
from train.data.masks import BG, Masked

OTHER_SHARE = 0.15  # of a batch: bodies that are no cell of the four classes
DRAWN_SHARE = 0.05  # of a batch: rendered fields, so that the demonstration's slides are no strangers
STAIN = (0.40, 0.55)  # mean density over glass, of red and green, to which all cells are stained: about the data set's
JPEG_QUALITY = (20, 95)
SHIFT_PX = 30  # how far a field is moved: what lies at its edge is cut off, as on any slide
_DENSITY = optical_density(np.arange(256, dtype=np.float32))  # of each grey value


@dataclass(frozen=True, slots=True, eq=False)
class NeutralFields:
    """Fields at the models' scale.

    `pixels` is uint8 (n, 224, 224, 4): RGB, and 255 where a leukocyte is, else 0.
    `cells` is float32 (m, 4): field index, centre x and y in pixels, and weight of each cell.
    """

    pixels: np.ndarray
    label: np.ndarray  # int32 (n,)
    cells: np.ndarray
    files: tuple[str, ...]

    def of(self, files: set[str]) -> "NeutralFields":
        """Return the fields called `files` alone."""
        keep = np.array([name in files for name in self.files])
        number = np.cumsum(keep) - 1
        cells = self.cells[keep[self.cells[:, 0].astype(int)]].copy()
        cells[:, 0] = number[cells[:, 0].astype(int)]
        return NeutralFields(
            self.pixels[keep], self.label[keep], cells, tuple(name for name in self.files if name in files)
        )

    def save(self, path: Path) -> None:
        """Write to `path`, an .npz file."""
        np.savez(path, pixels=self.pixels, label=self.label, cells=self.cells, files=np.array(self.files))

    @staticmethod
    def load(path: Path) -> "NeutralFields":
        """Read what `save` wrote."""
        with np.load(path) as data:
            files = tuple(str(name) for name in data["files"])
            return NeutralFields(data["pixels"], data["label"], data["cells"], files)


def neutral_field(view: ModelFrame, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return one field as uint8 (224, 224, 4) and its cells as float32 (n, 3): centre x, y and say.

    `probabilities` is the segmenter's float (h, w, 3), on its grid; parted and chosen as the device does.
    """
    cells = find_cells(probabilities, view)
    chosen = [cells.bodies[i] for i in clear_of_scale_bar(view, cells.bodies)]
    seen = with_mask(without_scale_bar(view), without_scale_bar_pixels(view, cells.cell))
    pixels = levelled(seen, background_of(view, cells.cell))
    rows = [(*body.centre, body.weight) for body in chosen]
    return tile(pixels, (0, 0)), np.array(rows, np.float32).reshape(-1, 3)


def levelled(pixels: np.ndarray, glass: np.ndarray) -> np.ndarray:
    """Return uint8 (h, w, 4) with its cells stained to `STAIN`, as the device does, and its ground along with them.

    `glass` is float (3,) RGB in 0..255.
    """
    cell = pixels[..., 3] > 127
    if not cell.any():
        return pixels
    image = np.ascontiguousarray(pixels[..., :3])
    return np.dstack([cv2.LUT(image, normalization_table(image, cell, glass, STAIN)), pixels[..., 3]])


def levelled_masked(masked: Sequence[Masked]) -> list[Masked]:
    """Return `levelled` pictures with a drawn mask."""
    return [replace(one, image=_levelled_image(one.image, one.codes != BG)) for one in masked]


def _levelled_image(image: np.ndarray, cell: np.ndarray) -> np.ndarray:
    return levelled(with_mask(image, cell), background_colour(image, cell))[..., :3]


def on_white(pixels: np.ndarray) -> np.ndarray:
    """Return float32 (n, h, w, 3) in 0..1: what the classifier is shown of uint8 (n, h, w, 4)."""
    ground = np.float32(NEUTRAL / 255.0)
    return np.where(pixels[..., 3:] > 127, pixels[..., :3].astype(np.float32) / 255.0, ground)


@dataclass(frozen=True, slots=True)
class Variation:
    """How far training strays from the photographs."""

    dyes: float = 0.4  # of the amount of each dye, as a logarithm: taken before the stain is levelled once more
    mixing: float = 0.04  # of the density's channels into one another: another stain batch
    gain: float = 0.06  # of the optical density, beyond what levelling takes away
    tint: float = 0.04  # of the light, beyond what is taken away with the glass
    zoom: float = 0.12
    edge_px: int = 1  # how far the mask is grown or shrunk: the segmenter's own error
    blur: float = 0.3  # share of fields softened
    jpeg: float = 0.35  # share of fields recompressed, as a USB camera's stream is
    ground: bool = False  # the ground is shown too: the control that tells what it gives away


class NeutralBatches(DrawnBatches):
    """Class-balanced batches of varied fields.

    x float32 (n, 224, 224, 3) in 0..1, y int32 (n,).
    """

    def __init__(
        self,
        fields: NeutralFields,
        others: Sequence[Masked],
        drawn: Sequence[Masked],
        steps: int,
        batch: int,
        seed: int,
        variation: Variation,
    ) -> None:
        super().__init__(steps, batch, seed)
        self.fields, self.others, self.drawn, self.variation = fields, others, drawn, variation
        self.by_class = [np.flatnonzero(fields.label == label) for label in np.unique(fields.label)]

    def __getitem__(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Return batch `step` of this epoch."""
        rng = self.rng(step)
        chosen = [self._one(rng) for _ in range(self.batch)]
        x = np.stack([restained(pixels, rng, self.variation) for pixels, _ in chosen])
        return x, np.array([label for _, label in chosen], np.int32)

    def _one(self, rng: np.random.Generator) -> tuple[np.ndarray, int]:
        kind = rng.random()
        if kind < OTHER_SHARE and self.others:
            return self._other(rng), len(LABELS)
        if kind < OTHER_SHARE + DRAWN_SHARE and self.drawn:
            picked = self.drawn[rng.integers(len(self.drawn))]
            return moved(with_mask(picked.image, picked.codes != BG), rng, self.variation), LABELS.index(picked.source)
        rows = self.by_class[rng.integers(len(self.by_class))]
        row = rows[rng.integers(len(rows))]
        return moved(self.fields.pixels[row], rng, self.variation), int(self.fields.label[row])

    def _other(self, rng: np.random.Generator) -> np.ndarray:
        """Return normal leukocytes of another laboratory, or what no leukocyte is, made from a field."""
        if rng.random() < 0.5:
            picked = self.others[rng.integers(len(self.others))]
            image, codes = augmentation.move(picked.image, picked.codes, rng, FIELD_SIZE, picked.zoom)
            return with_mask(image, codes != BG)
        field = moved(self.fields.pixels[rng.integers(len(self.fields.label))], rng, self.variation)
        return _SPOILT[rng.integers(len(_SPOILT))](field, rng)


def with_mask(image: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Return RGB uint8 (h, w, 3) with a fourth channel: 255 where bool (h, w) `cell`, else 0."""
    return np.dstack([image, np.where(cell, np.uint8(255), np.uint8(0))])


def moved(field: np.ndarray, rng: np.random.Generator, variation: Variation) -> np.ndarray:
    """Turn, mirror, zoom and shift uint8 (224, 224, 4), soften it, and move its outlines."""
    middle = FIELD_SIZE / 2
    scale = float(np.exp(rng.uniform(-variation.zoom, variation.zoom)))
    matrix = cv2.getRotationMatrix2D((middle, middle), rng.uniform(0, 360), scale)
    if rng.random() < 0.5:
        matrix = matrix @ np.array([[-1, 0, FIELD_SIZE], [0, 1, 0], [0, 0, 1.0]])
    matrix[:, 2] += rng.uniform(-SHIFT_PX, SHIFT_PX, 2)
    beyond = (NEUTRAL, NEUTRAL, NEUTRAL, 0)
    out = cv2.warpAffine(
        field,
        matrix,
        (FIELD_SIZE, FIELD_SIZE),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=beyond,
    )
    grow = int(rng.integers(-variation.edge_px, variation.edge_px + 1))
    if grow:
        kernel = np.ones((2 * abs(grow) + 1,) * 2, np.uint8)
        out[..., 3] = (cv2.dilate if grow > 0 else cv2.erode)(out[..., 3], kernel)
    if rng.random() < variation.blur:
        out[..., :3] = cv2.GaussianBlur(out[..., :3], (0, 0), float(rng.uniform(0.4, 1.3)))
    if rng.random() < variation.jpeg:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(*JPEG_QUALITY))]
        _, data = cv2.imencode(".jpg", out[..., 2::-1], quality)  # colour is subsampled: it matters which is which
        out[..., :3] = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
    return out


def restained(field: np.ndarray, rng: np.random.Generator, variation: Variation) -> np.ndarray:
    """Return uint8 (h, w, 4) as float32 (h, w, 3) in 0..1 under another stain, levelled, and light, on neutral ground.

    What levelling does not take away of another stain is how the two dyes share the cell out.
    """
    blue, eosin = np.exp(rng.uniform(-variation.dyes, variation.dyes, 2))
    batch = dyed(blue, eosin) + rng.normal(0, variation.mixing, (3, 3))
    density = cv2.transform(cv2.LUT(np.ascontiguousarray(field[..., :3]), _DENSITY), batch.T)
    mean = np.array(cv2.mean(density, (field[..., 3] > 127).view(np.uint8))[:3])
    gains = normalization_gains(mean, STAIN) * rng.uniform(1 - variation.gain, 1 + variation.gain)
    tint = -np.log(rng.uniform(1 - variation.tint, 1.0, 3))
    image = cv2.exp(-np.clip(cv2.transform(density, np.column_stack([np.diag(gains), tint])), 0.0, 5.0))
    return image if variation.ground else np.where(field[..., 3:] > 127, image, np.float32(NEUTRAL / 255.0))


def _other_hue(field: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A hue that no Romanowsky stain has."""
    return np.dstack([augmentation.other_hue(field[..., :3], rng), field[..., 3]])


def _unsharp(field: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Beyond any focus."""
    return np.dstack([augmentation.beyond_focus(field[..., :3], rng), field[..., 3]])


def _shuffled(field: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The colours of the field without its shapes."""
    colours = field[..., :3].reshape(-1, 3)
    inside = field[..., 3].ravel() > 127
    out = colours.copy()
    out[inside] = rng.permutation(colours[inside])
    return np.dstack([out.reshape((*field.shape[:2], 3)), field[..., 3]])


def _ground(field: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What lies beside the cells, in their shapes."""
    inside = field[..., 3] > 127
    near = cv2.dilate(inside.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    beside = np.roll(inside, rng.integers(24, 200, 2), (0, 1)) & ~near
    return with_mask(field[..., :3], beside)


def _tissue(field: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The inside of cells spread over the whole field, its dark parts kept as bodies: dense, as cut tissue is."""
    rows, columns = np.nonzero(field[..., 3] > 127)
    edge = int(rng.integers(14, 40))
    if not len(rows):
        return _shuffled(field, rng)
    at = rng.integers(len(rows))
    y, x = (int(np.clip(v[at] - edge // 2, 0, FIELD_SIZE - edge)) for v in (rows, columns))
    patch = np.ascontiguousarray(field[y : y + edge, x : x + edge, :3])
    whole = np.tile(
        np.vstack([np.hstack([patch, patch[:, ::-1]]), np.hstack([patch[::-1], patch[::-1, ::-1]])]), (4, 4, 1)
    )
    image = cv2.resize(whole, None, fx=float(rng.uniform(1, 4)), fy=float(rng.uniform(1, 4)))
    image = np.ascontiguousarray(np.tile(image, (4, 4, 1))[:FIELD_SIZE, :FIELD_SIZE])
    noise = cv2.GaussianBlur(
        rng.normal(0, 1, (FIELD_SIZE, FIELD_SIZE)).astype(np.float32), (0, 0), float(rng.uniform(4, 10))
    )
    body = noise > np.quantile(noise, rng.uniform(0.3, 0.8))
    return with_mask(image, body)


_SPOILT = (_other_hue, _unsharp, _shuffled, _ground, _tissue)
