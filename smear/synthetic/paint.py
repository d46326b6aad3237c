"""Paints objects given in micrometres: the amounts of dye on the slide, and the exact mask."""

import functools
import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from smear.findings import BACKGROUND, CYTOPLASM, NUCLEUS
from smear.synthetic.scene import STEPS, Blob, Leukocyte, Look, Red, Scene, Smear

SUPERSAMPLING = 2  # dye is painted at twice the requested resolution, for smooth edges
HAEMOGLOBIN, AZURE, CHROMATIN, EOSIN = range(4)
_THICKEST_PILE = 1.7  # red cells flatten where they overlap: a pile never looks thicker than this many
_BANK_PIXEL_UM = 0.125
_BANK_SIZE = 512  # 64 µm: no cell is larger, so no pattern repeats inside one


@dataclass(slots=True, eq=False)
class Canvas:
    """What is painted on: `dyes` is supersampled, `mask` and `cells` have the requested resolution."""

    dyes: NDArray[np.float32]  # (4, 2H, 2W)
    mask: NDArray[np.uint8]  # (H, W)
    cells: NDArray[np.uint16]  # (H, W)
    origin: tuple[float, float]  # x, y of the top-left corner on the slide, µm
    pixel_um: float  # of a supersampled pixel

    def take_dyes(self) -> NDArray[np.float32]:
        """Return the dyes and drop them from the canvas, so that the caller can free them."""
        taken, self.dyes = self.dyes, np.empty(0, np.float32)
        return taken


@dataclass(frozen=True, slots=True, eq=False)
class _Patch:
    """The part of a canvas around one object, and its pixel centres in µm from the canvas's origin."""

    rows: slice
    columns: slice
    x: NDArray[np.float32]  # (1, w), µm on the slide
    y: NDArray[np.float32]  # (h, 1), µm on the slide

    @property
    def mask_rows(self) -> slice:
        return slice(self.rows.start // SUPERSAMPLING, self.rows.stop // SUPERSAMPLING)

    @property
    def mask_columns(self) -> slice:
        return slice(self.columns.start // SUPERSAMPLING, self.columns.stop // SUPERSAMPLING)


@functools.cache
def _noise_bank() -> NDArray[np.float32]:
    """Float32 (2, _BANK_SIZE, _BANK_SIZE), fine and coarse noise of unit variance that tiles without a seam."""
    white = np.random.default_rng(20250).standard_normal((_BANK_SIZE, _BANK_SIZE)).astype(np.float32)
    frequency = np.hypot(np.fft.fftfreq(_BANK_SIZE)[:, None], np.fft.rfftfreq(_BANK_SIZE)[None])
    spectrum = np.fft.rfft2(white)
    layers = []
    for size_um in (0.28, 0.62):  # grain of fine blast chromatin, and of the clumps of a mature lymphocyte
        blur = np.exp(-2 * (math.pi * frequency * size_um / _BANK_PIXEL_UM) ** 2)
        layer = np.fft.irfft2(spectrum * blur, s=white.shape)
        layers.append(layer / layer.std())
    return np.stack(layers).astype(np.float32)


def _noise(
    canvas: Canvas, patch: _Patch, place: tuple[float, float, float], centre: Blob, layer: int
) -> NDArray[np.float32]:
    """Sample the noise bank so that the pattern stays with its cell however the stage moves."""
    step = canvas.pixel_um / _BANK_PIXEL_UM
    cosine, sine = math.cos(place[2]) * step, math.sin(place[2]) * step
    left = (float(patch.x[0, 0]) - centre.x) / canvas.pixel_um
    top = (float(patch.y[0, 0]) - centre.y) / canvas.pixel_um
    matrix = np.array(
        [
            [cosine, -sine, cosine * left - sine * top + place[0] / _BANK_PIXEL_UM],
            [sine, cosine, sine * left + cosine * top + place[1] / _BANK_PIXEL_UM],
        ]
    )
    size = (patch.x.size, patch.y.size)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    sampled = cv2.warpAffine(_noise_bank()[layer], matrix, size, flags=flags, borderMode=cv2.BORDER_WRAP)
    return np.asarray(sampled, np.float32)


def _patch(canvas: Canvas, blob: Blob, reach: float) -> _Patch | None:
    """Return the patch within `reach` radii of `blob`, on whole mask pixels, or None outside the canvas."""
    height, width = canvas.dyes.shape[1:]
    spans = []
    for centre, origin, length in ((blob.x, canvas.origin[0], width), (blob.y, canvas.origin[1], height)):
        unit = canvas.pixel_um * SUPERSAMPLING
        first = math.floor((centre - origin - reach * blob.radius_um) / unit)
        last = math.ceil((centre - origin + reach * blob.radius_um) / unit)
        start, stop = max(0, first * SUPERSAMPLING), min(length, last * SUPERSAMPLING)
        if start >= stop:
            return None
        spans.append((slice(start, stop), origin + (np.arange(start, stop, dtype=np.float64) + 0.5) * canvas.pixel_um))
    (columns, x), (rows, y) = spans
    return _Patch(rows, columns, x.astype(np.float32)[None], y.astype(np.float32)[:, None])


def _relative_radius(patch: _Patch, blob: Blob) -> NDArray[np.float32]:
    """Return float32 (h, w): 0 at the centre of `blob`, 1 on its outline."""
    shape = (patch.y.size, patch.x.size)
    across = np.broadcast_to((patch.x - blob.x).astype(np.float32), shape)
    down = np.broadcast_to((patch.y - blob.y).astype(np.float32), shape)
    distance, angle = cv2.cartToPolar(np.ascontiguousarray(across), np.ascontiguousarray(down))
    index = (angle * (STEPS / (2 * math.pi))).astype(np.intp)
    reach = np.take(blob.outline, index, mode="wrap") * np.float32(blob.radius_um)
    return np.asarray(distance / reach, np.float32)


def _inside(
    relative: NDArray[np.float32], blob: Blob, canvas: Canvas, softness_um: float = 0.0
) -> NDArray[np.floating]:
    """Return how much of each pixel is inside, 0 to 1, with an edge one pixel wide (or `softness_um`)."""
    width = max(softness_um, canvas.pixel_um)
    return np.asarray(np.clip((1.0 - relative) * (blob.radius_um / width) + 0.5, 0.0, 1.0))


def _paint_red(canvas: Canvas, red: Red, look: Look) -> None:
    patch = _patch(canvas, red.body, 1.25)
    if patch is None:
        return
    relative = _relative_radius(patch, red.body)
    thickness = _inside(relative, red.body, canvas, 0.9)  # a red cell's rim is rounded, not sharp
    pale = np.clip((look.pallor_radius + look.pallor_edge / 2 - relative) / look.pallor_edge, 0.0, 1.0)
    thickness *= red.amount * (0.88 + 0.28 * relative * relative - red.pallor * pale)
    canvas.dyes[HAEMOGLOBIN, patch.rows, patch.columns] += thickness


def _paint_smear(canvas: Canvas, smear: Smear) -> None:
    patch = _patch(canvas, smear.body, 1.5)
    if patch is None:
        return
    relative = _relative_radius(patch, smear.body)
    amount = _inside(relative, smear.body, canvas, 0.4)
    if smear.ragged:
        coarse = _noise(canvas, patch, smear.texture, smear.body, 1)
        fine = _noise(canvas, patch, smear.texture, smear.body, 0)
        # Torn towards the rim: what is left of a smudge cell has threads and holes, not an outline.
        torn = np.clip(1.5 - smear.ragged * (1.4 * relative**3 - 0.5 * coarse), 0.0, 1.0)
        torn *= _inside(relative, smear.body, canvas, 0.35 * smear.body.radius_um * smear.ragged)
        amount = torn * (0.8 + 0.07 * coarse + 0.07 * fine)
    for dye, share in zip((AZURE, CHROMATIN, EOSIN), smear.dyes, strict=True):
        if share:
            canvas.dyes[dye, patch.rows, patch.columns] += share * amount


def _covered(inside: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return bool (h/2, w/2): mask pixels at least half inside."""
    size = (inside.shape[1] // SUPERSAMPLING, inside.shape[0] // SUPERSAMPLING)
    return np.asarray(cv2.resize(inside, size, interpolation=cv2.INTER_AREA) >= 0.5)


def _paint_leukocyte(canvas: Canvas, cell: Leukocyte, number: int) -> None:
    patch = _patch(canvas, cell.body, 1.35)
    if patch is None:
        return
    relative = _relative_radius(patch, cell.body)
    body = _inside(relative, cell.body, canvas)
    nucleus = np.zeros_like(body)
    depth = np.full_like(body, 2.0)
    for lobe in cell.nucleus:
        lobe_relative = _relative_radius(patch, lobe)
        np.maximum(nucleus, _inside(lobe_relative, lobe, canvas), out=nucleus)
        np.minimum(depth, lobe_relative, out=depth)
    np.minimum(nucleus, body, out=nucleus)

    kind = cell.kind
    fine = _noise(canvas, patch, cell.texture, cell.body, 0)
    coarse = _noise(canvas, patch, cell.texture, cell.body, 1)
    grain = kind.coarseness * coarse + (1.0 - kind.coarseness) * fine
    # The membrane takes the dye a little stronger, and the cell is thickest in the middle.
    chromatin = cell.amount * (1.0 + kind.contrast * np.clip(grain, -1.6, 1.6) + 0.12 * np.clip(depth, 0, 1) ** 6)
    azure = kind.basophilia * (0.6 + 0.08 * coarse + 0.4 * np.clip(relative, 0, 1) ** 8)
    for x, y, radius in cell.nucleoli:
        spot = np.exp(-((((patch.x - x) ** 2 + (patch.y - y) ** 2) / np.float32(radius**2)) ** 2))
        chromatin -= 0.3 * cell.amount * spot
        azure += 0.25 * spot * nucleus
    dyes = canvas.dyes[:, patch.rows, patch.columns]
    dyes *= 1.0 - 0.85 * body  # a leukocyte is thick: what lies under it hardly shows
    cytoplasm = body - nucleus
    dyes[CHROMATIN] += nucleus * chromatin
    dyes[AZURE] += cytoplasm * azure + 0.06 * nucleus * cell.amount
    dyes[CHROMATIN] += cytoplasm * (0.22 * kind.basophilia + 0.25 * kind.granules)
    if kind.granules:
        dyes[EOSIN] += cytoplasm * kind.granules * (0.7 + 0.3 * np.clip(fine, -1.5, 2.0))
    _mark(canvas, patch, body, nucleus, number)


def _mark(
    canvas: Canvas, patch: _Patch, cell: NDArray[np.floating], nucleus: NDArray[np.floating], number: int
) -> None:
    """Enter one cell into the mask and the instance map, from the geometry that was painted."""
    covered = _covered(cell)
    canvas.mask[patch.mask_rows, patch.mask_columns][covered] = CYTOPLASM
    canvas.mask[patch.mask_rows, patch.mask_columns][_covered(nucleus) & covered] = NUCLEUS
    canvas.cells[patch.mask_rows, patch.mask_columns][covered] = number


def paint(scene: Scene, look: Look, origin: tuple[float, float], shape: tuple[int, int], pixel_um: float) -> Canvas:
    """Paint `scene` as seen from `origin` (x, y in µm) into a field of `shape` (height, width) pixels."""
    height, width = shape
    canvas = Canvas(
        np.zeros((4, height * SUPERSAMPLING, width * SUPERSAMPLING), np.float32),
        np.full(shape, BACKGROUND, np.uint8),
        np.zeros(shape, np.uint16),
        origin,
        pixel_um / SUPERSAMPLING,
    )
    for red in scene.reds:
        _paint_red(canvas, red, look)
    reds = canvas.dyes[HAEMOGLOBIN]
    pile = reds / _THICKEST_PILE  # in place from here on: a plane of a camera's frame takes 20 MB
    pile *= pile
    pile += 1.0
    reds /= np.sqrt(pile, out=pile)
    del pile
    if look.red_blur_um:
        cv2.GaussianBlur(reds, (0, 0), look.red_blur_um / canvas.pixel_um, dst=reds)
    for smear in scene.smears:
        _paint_smear(canvas, smear)
    for number, cell in enumerate(scene.leukocytes, start=1):
        _paint_leukocyte(canvas, cell, number)
    renumber(canvas.cells)
    return canvas


def renumber(cells: NDArray[np.uint16]) -> None:
    """Renumber the visible cells 1 to n, in place; some lie outside the field or under another."""
    seen = np.bincount(cells.ravel()) > 0
    seen[0] = False
    numbers = np.where(seen, np.cumsum(seen), 0).astype(cells.dtype)
    cells[:] = numbers[cells]
