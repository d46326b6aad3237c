"""A whole synthetic slide under a moving stage: returning to a position shows the same cells."""

import functools
import math

import numpy as np

from smear.classes import LABELS
from smear.errors import ImageError
from smear.findings import CellMask
from smear.synthetic.fields import NOISE, SyntheticField, check_size, unsigned
from smear.synthetic.optics import draw_lamp, expose
from smear.synthetic.paint import paint
from smear.synthetic.recipes import RECIPES
from smear.synthetic.scene import Scene, draw_look, merge, populate
from smear.synthetic.stains import PALETTES, draw_stain

_BLOCK_UM = 56.0  # a slide is populated in squares of this side: half a field of the data set
_REACH_UM = 20.0  # no object shows further than this outside its block: smudge cells, ends of rouleaux
_BLOCKS_KEPT = 60  # three small camera frames or a large one; an older block is drawn again, identically, when needed


class SyntheticSlide:
    """One slide of one class in one stain, without end in any direction; x runs right, y down, in micrometres.

    Raises:
        ImageError: no such class, or a pixel size that cannot be drawn.
    """

    def __init__(self, label: str, seed: int, pixel_size_um: float = 0.25) -> None:
        if label not in RECIPES:
            raise ImageError(f"no synthetic class {label!r}; choose one of {', '.join(LABELS)}")
        check_size((1, 1), pixel_size_um)
        self.label, self.seed, self.pixel_size_um = label, seed, pixel_size_um
        self._key = [unsigned(seed), 100 + LABELS.index(label)]  # 100: apart from the keys of single fields
        rng = np.random.default_rng(self._key)
        self._stain = draw_stain(rng, PALETTES[label])
        self._look, self._lamp = draw_look(rng), draw_lamp(rng)
        self._block = functools.lru_cache(_BLOCKS_KEPT)(self._populate)

    def field_at(
        self,
        x_um: float,
        y_um: float,
        shape: tuple[int, int] = (224, 224),
        noise_seed: int = 0,
        noise: float = NOISE,
    ) -> SyntheticField:
        """Return the field of `shape` (height, width) whose top-left corner lies at (`x_um`, `y_um`).

        Cells belong to the slide, illumination to the microscope, noise to the frame: give each frame its own
        `noise_seed`. A field may hold no leukocyte; its label stays that of the slide.
        """
        check_size(shape, self.pixel_size_um)
        scene = self._scene(x_um, y_um, shape[1] * self.pixel_size_um, shape[0] * self.pixel_size_um)
        canvas = paint(scene, self._look, (x_um, y_um), shape, self.pixel_size_um)
        image = expose(
            canvas.take_dyes(), self._stain, self._lamp, self.pixel_size_um, 0.0, noise, unsigned(noise_seed)
        )
        return SyntheticField(image, CellMask(canvas.mask), canvas.cells, self.label, self.seed)

    def _scene(self, x_um: float, y_um: float, width_um: float, height_um: float) -> Scene:
        """Join the blocks that reach into a rectangle, always in the same order: later cells lie on top."""
        columns = range(_block_of(x_um - _REACH_UM), _block_of(x_um + width_um + _REACH_UM) + 1)
        rows = range(_block_of(y_um - _REACH_UM), _block_of(y_um + height_um + _REACH_UM) + 1)
        return merge([self._block(column, row) for row in rows for column in columns])

    def _populate(self, column: int, row: int) -> Scene:
        rng = np.random.default_rng([*self._key, unsigned(column), unsigned(row)])
        box = (column * _BLOCK_UM, row * _BLOCK_UM, _BLOCK_UM, _BLOCK_UM)
        return populate(rng, RECIPES[self.label], self._look, box)


def _block_of(position_um: float) -> int:
    return math.floor(position_um / _BLOCK_UM)
