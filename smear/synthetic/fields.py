"""Single synthetic fields: of one class, of red cells only, of empty glass."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smear.classes import LABELS
from smear.errors import ImageError
from smear.findings import CellMask
from smear.synthetic.optics import burn_scale_bar, draw_lamp, expose
from smear.synthetic.paint import paint, renumber
from smear.synthetic.recipes import EMPTY_GLASS, NO_LEUKOCYTES, RECIPES, Recipe
from smear.synthetic.scene import Box, Scene, draw_look, populate
from smear.synthetic.stains import PALETTES, SESSIONS, Stain, draw_stain

NOISE = 2.0  # grey levels on bright glass; the flattest glass of the data set's fields shows about this much
_MARGIN_UM = 5.0  # objects are scattered this far beyond the field, so that its edge cuts some


@dataclass(frozen=True, slots=True, eq=False)
class SyntheticField:
    """A synthetic field with its ground truth."""

    image: NDArray[np.uint8]  # RGB (H, W, 3)
    mask: CellMask  # exact: from the geometry that was painted
    cells: NDArray[np.uint16]  # (H, W): 0 for background, 1 to n for leukocytes
    label: str | None  # class name; None where no leukocyte was asked for
    seed: int


def render(
    label: str,
    seed: int,
    shape: tuple[int, int] = (224, 224),
    pixel_size_um: float = 0.5,
    *,
    cells: int | None = None,
    defocus_um: float = 0.0,
    stain: Stain | None = None,
    noise: float = NOISE,
    scale_bar: bool = False,
) -> SyntheticField:
    """Draw one field of class `label`, `shape` (height, width), the same for the same arguments.

    `cells` leukocytes have their centre in the field; None draws a number (at least one) usual for the class.
    None for `stain` draws one of the class's sessions. `defocus_um` is the distance from best focus.

    Raises:
        ImageError: no such class, or a size that cannot be drawn.
    """
    if label not in RECIPES:
        raise ImageError(f"no synthetic class {label!r}; choose one of {', '.join(LABELS)}")
    rng = np.random.default_rng([unsigned(seed), LABELS.index(label)])
    drawn = draw_stain(rng, PALETTES[label])
    return _field(rng, RECIPES[label], label, seed, shape, pixel_size_um, cells, stain or drawn, defocus_um, noise,
                  scale_bar)  # fmt: skip


def red_cells_only(seed: int, shape: tuple[int, int] = (224, 224), pixel_size_um: float = 0.5) -> SyntheticField:
    """Draw a field with red cells and platelets but no leukocyte: label None, empty mask."""
    rng = np.random.default_rng([unsigned(seed), len(LABELS)])
    return _field(rng, NO_LEUKOCYTES, None, seed, shape, pixel_size_um, 0, draw_stain(rng, SESSIONS))


def blank(seed: int, shape: tuple[int, int] = (224, 224), pixel_size_um: float = 0.5) -> SyntheticField:
    """Draw empty glass, off the smear: label None, empty mask."""
    rng = np.random.default_rng([unsigned(seed), len(LABELS) + 1])
    return _field(rng, EMPTY_GLASS, None, seed, shape, pixel_size_um, 0, draw_stain(rng, SESSIONS))


def _field(
    rng: np.random.Generator, recipe: Recipe, label: str | None, seed: int, shape: tuple[int, int], pixel_um: float,
    cells: int | None, stain: Stain, defocus_um: float = 0.0, noise: float = NOISE, scale_bar: bool = False,
) -> SyntheticField:  # fmt: skip
    check_size(shape, pixel_um)
    look, lamp = draw_look(rng), draw_lamp(rng)
    style, noise_seed = int(rng.integers(3)), int(rng.integers(2**63))
    width, height = shape[1] * pixel_um, shape[0] * pixel_um
    inner: Box = (0.0, 0.0, width, height)
    outer: Box = (-_MARGIN_UM, -_MARGIN_UM, width + 2 * _MARGIN_UM, height + 2 * _MARGIN_UM)
    scene = populate(rng, recipe, look, inner if cells is not None else outer, cells)
    if cells is None and not _any_inside(scene, width, height):
        scene = populate(rng, recipe, look, inner, 1)
    canvas = paint(scene, look, (0.0, 0.0), shape, pixel_um)
    image = expose(canvas.dyes, stain, lamp, pixel_um, defocus_um, noise, noise_seed)
    if scale_bar:
        burn_scale_bar(image, canvas.mask, canvas.cells, style)
        renumber(canvas.cells)
    return SyntheticField(image, CellMask(canvas.mask), canvas.cells, label, seed)


def _any_inside(scene: Scene, width_um: float, height_um: float) -> bool:
    return any(0 <= c.body.x <= width_um and 0 <= c.body.y <= height_um for c in scene.leukocytes)


def unsigned(seed: int) -> int:
    """Return any integer `seed`, negative ones too, as an unsigned one for NumPy's generators."""
    return seed % 2**64


def check_size(shape: tuple[int, int], pixel_size_um: float) -> None:
    """Refuse sizes that cannot be drawn.

    Raises:
        ImageError: a side below one pixel, or a pixel size that is not positive and finite.
    """
    if min(shape) < 1 or not 0 < pixel_size_um < math.inf:
        raise ImageError(f"cannot draw a field of {shape} pixels of {pixel_size_um} µm; both must be positive")
