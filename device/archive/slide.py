"""Whole slides: tiles of known pixel size, examined where there is tissue, their cells in level-0 pixels."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.exports.outlines import contour_pixels
from smear.classes import FIELD_CLASSES
from smear.errors import ImageError
from smear.findings import Cell, Finding
from smear.images.tiff import PIXEL_SIZE_RANGE_UM, SQUARE_WITHIN
from smear.imaging.resampling import MODEL_PIXEL_SIZE_UM
from smear.output_files import printable

_CORE_UM, MARGIN_UM = 152.0, 24.0  # a tile of 400 model pixels is four of the segmenter's, 48 of margin two blasts
_BORDER_UM = 2.0  # how far a cell's centre may move from one tile to the next
_OVERVIEW_UM = 8.0  # a pixel of the level on which tissue is looked for: a red cell
_CHROMA, _TISSUE_SHARE = 30, 0.005  # glass of the data set's fields is below 23, and 3 % of the emptiest are above 30


@dataclass(frozen=True, slots=True)
class Tile:
    """A square of a slide, in level-0 pixels but for `size`."""

    path: Path
    corner: tuple[int, int]  # x, y of what is read
    size: tuple[int, int]  # width, height of what is read, in pixels of `level`
    level: int
    scale: float  # level-0 pixels per pixel of `level`
    pixel_size_um: float  # of `level`
    core: tuple[float, float, float, float]  # left, top, right, bottom: cells with their centre here are this tile's


@dataclass(frozen=True, slots=True)
class TileCell:
    """A cell in level-0 pixels."""

    centre: tuple[float, float]
    box: tuple[float, float, float, float]  # left, top, right, bottom
    outline: list[list[float]]  # x, y
    name: str | None  # of its class; None: not classified, or the tile was refused
    measures: dict[str, float]


@dataclass(frozen=True, slots=True)
class TileResult:
    """What was found in one tile."""

    cells: tuple[TileCell, ...] = ()
    state: tuple[str, ...] = ("examined",)  # that, "no tissue", or the codes of its refusals
    error: str | None = None


def open_slide(path: Path) -> Any:
    """Return the OpenSlide of `path`.

    Raises:
        ImageError: it is no slide.
    """
    import openslide  # here: an extra of its own

    try:
        return openslide.OpenSlide(path)
    except (openslide.OpenSlideError, OSError) as error:
        raise ImageError(f"{printable(path)}: no whole slide that OpenSlide reads ({error}); check the file") from error


def tiles_of(path: Path, pixel_size_um: float | None) -> tuple[int, Iterator[Tile]]:
    """Return the tiles of the slide at `path`, row by row, and their number; `pixel_size_um` stands for its own.

    Raises:
        ImageError: it is no slide, or does not say the size of its pixels.
    """
    with open_slide(path) as slide:
        mpp = pixel_size_um or _own_pixel_size_um(slide)
        if mpp is None:
            raise ImageError(f"{printable(path)}: the slide says no pixel size that can be used; give --pixel-size-um")
        level = slide.get_best_level_for_downsample(MODEL_PIXEL_SIZE_UM / mpp * 1.01)
        scale, (width, height) = float(slide.level_downsamples[level]), slide.dimensions
    core, margin = _CORE_UM / mpp, MARGIN_UM / mpp

    def tile(row: int, column: int) -> Tile:
        left, top, right, bottom = column * core, row * core, (column + 1) * core, (row + 1) * core
        x, y = max(0, int(left - margin)), max(0, int(top - margin))
        size = int((min(width, right + margin) - x) / scale), int((min(height, bottom + margin) - y) / scale)
        inside = left, top, right if right < width else math.inf, bottom if bottom < height else math.inf
        return Tile(path, (x, y), size, level, scale, mpp * scale, inside)

    rows, columns = math.ceil(height / core), math.ceil(width / core)
    return rows * columns, (tile(row, column) for row in range(rows) for column in range(columns))


def _own_pixel_size_um(slide: Any) -> float | None:
    """Return the edge of a level-0 pixel; None where the slide does not say it, or says none of a square pixel."""
    across, down = (float(slide.properties.get(f"openslide.mpp-{axis}", "nan")) for axis in "xy")
    sensible = PIXEL_SIZE_RANGE_UM[0] <= across <= PIXEL_SIZE_RANGE_UM[1] and abs(down / across - 1) <= SQUARE_WITHIN
    return across if sensible else None


def has_tissue(slide: Any, tile: Tile) -> bool:
    """Tell by an overview whether there is more than glass in `tile`."""
    level = max(tile.level, slide.get_best_level_for_downsample(_OVERVIEW_UM / tile.pixel_size_um * tile.scale))
    shrink = slide.level_downsamples[level] / tile.scale
    seen = _read(slide, tile.corner, level, [max(1, int(side / shrink)) for side in tile.size]).astype(np.int16)
    return bool((seen.max(axis=2) - seen.min(axis=2) > _CHROMA).mean() > _TISSUE_SHARE)


def read_tile(slide: Any, tile: Tile) -> NDArray[np.uint8]:
    """Return RGB uint8 (height, width, 3); what the scanner left out is white."""
    return _read(slide, tile.corner, tile.level, tile.size)


def _read(slide: Any, corner: tuple[int, int], level: int, size: Iterable[int]) -> NDArray[np.uint8]:
    import openslide

    try:
        rgba = np.asarray(slide.read_region(corner, level, tuple(size)))
    except openslide.OpenSlideError as error:
        raise ImageError(f"the tile at {corner} of the slide is damaged ({error}); copy the slide again") from error
    return np.where(rgba[..., 3:] > 0, rgba[..., :3], np.uint8(255))


def tile_result(tile: Tile, finding: Finding) -> TileResult:
    """Return the cells of `finding` whose centre is in the core of `tile`, or as close to it as centres move."""
    border = _BORDER_UM / tile.pixel_size_um * tile.scale
    left, top, right, bottom = tile.core
    cells = [_cell(tile, cell, finding.label is None) for cell in finding.cells]
    inside = tuple(
        cell for cell in cells
        if left - border <= cell.centre[0] < right + border and top - border <= cell.centre[1] < bottom + border
    )  # fmt: skip
    return TileResult(inside, tuple(str(each.code) for each in finding.refusals) or ("examined",))


def _cell(tile: Tile, cell: Cell, refused: bool) -> TileCell:
    scale, shift = tile.scale, np.array(tile.corner)
    outline = contour_pixels(cell.contour).polygon() * scale + shift
    centre = (np.array(cell.centroid) + 0.5) * scale + shift  # of a pixel, half a pixel from its corner
    measures = {"Area µm^2": cell.area_um2 or 0.0, "Nucleus/Cell area ratio": cell.nc_ratio}
    measures |= {f"p {each.name}": p for each, p in zip(FIELD_CLASSES, cell.probabilities, strict=False)}
    name = None
    if cell.probabilities and not refused:
        name = FIELD_CLASSES[cell.probabilities.index(max(cell.probabilities))].name
    rounded = {key: round(float(value), 4) for key, value in measures.items()}
    (left, top), (right, bottom) = outline.min(axis=0).tolist(), outline.max(axis=0).tolist()
    return TileCell(
        (float(centre[0]), float(centre[1])), (left, top, right, bottom), np.round(outline, 1).tolist(), name, rounded
    )
