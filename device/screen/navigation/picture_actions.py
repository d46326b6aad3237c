"""The actions of pages that show cells and fields: what `device.actions` answers, with pictures of it."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.actions.base import Context, place_of
from device.actions.cells import cell_json, whole_cell_json
from device.actions.slides import counted
from device.reporting.cell_pictures import cell_side_px, cropped, resized, scaled_outline
from device.settings import Settings
from device.store import CellRecord, Store
from smear.errors import ImageError
from smear.images import read_image
from smear.inference.overlay import UNCLASSIFIED, draw_outlines

CELL_PX, FIELD_PX = 480, 800  # longest edge of a picture that a page is given
_AROUND = 2.0  # how much more than one cell the page of a cell shows

Image = NDArray[np.uint8]


class PictureActions:
    """Answers from the store, opened for each question."""

    def __init__(self, settings: Settings, data: Path) -> None:
        self._settings = settings
        self._data = data

    def answers(self) -> dict[str, Callable[[Mapping[str, Any]], Any]]:
        """Return every action with who answers it."""
        return {
            "cells with pictures": self._cells,
            "cell with picture": self._cell,
            "field waiting with picture": self._field_waiting,
        }

    def _read(self) -> Any:
        return Store.read(self._data, self._settings.store.busy_timeout_s)

    def _cells(self, request: Mapping[str, Any]) -> dict[str, Any]:
        operator, after = request["operator"], request["after"]
        with self._read() as store:
            slide = store.slide_called(str(request["slide"]))
            cells = store.browse(
                slide.id, unclassified=True, operator=operator, limit=request["limit"],
                after=None if after is None else place_of(after),
            )  # fmt: skip
            count = counted(Context(store, self._settings), slide).counts.get(operator)
            photograph = _photographs(store)
            return {
                "slide": {"id": slide.id, "name": slide.name},
                "cells": [cell_json(each) | {"picture": _picture(store, each, photograph)} for each in cells],
                "classes": [(each.name, each.key) for each in self._settings.cells.classes],
                "count": None if count is None else count.to_json(),
            }

    def _cell(self, request: Mapping[str, Any]) -> dict[str, Any]:
        with self._read() as store:
            cell = store.cell(*place_of(request["cell"]))
            return whole_cell_json(store, cell) | {"picture": _picture(store, cell, _photographs(store), _AROUND)}

    def _field_waiting(self, request: Mapping[str, Any]) -> dict[str, Any]:
        with self._read() as store:
            found = store.to_review(1, request["after"])
            if not found:
                return {"field": None}
            field, image = found[0], _photographs(store)(found[0].id)
            if image is not None:
                scale = min(1.0, FIELD_PX / max(image.shape[:2]))
                image = _outlined(image, store.cells(field.id), scale)
            return {"field": field.to_json() | {"slide_name": store.slide(field.slide_id).name, "picture": image}}


def _photographs(store: Store) -> Callable[[int], Image | None]:
    """Return what reads the photograph of a field, RGB, once for its cells that follow; None: it is gone or damaged."""

    @lru_cache(1)
    def read(field: int) -> Image | None:
        path = store.image_path(store.field(field))
        try:
            return None if path is None or not path.is_file() else read_image(path)
        except ImageError:
            return None

    return read


def _picture(
    store: Store, cell: CellRecord, photograph: Callable[[int], Image | None], around: float = 1.0
) -> Image | None:
    image = photograph(cell.field_id)
    if image is None:
        return None
    side = cell_side_px(store.field(cell.field_id).pixel_size_um, [cell])
    return cropped(image, cell, round(around * side), CELL_PX if around > 1 else CELL_PX // 3, UNCLASSIFIED)


def _outlined(image: Image, cells: list[CellRecord], scale: float) -> Image:
    height, width = image.shape[:2]
    drawn = resized(image, (max(1, round(width * scale)), max(1, round(height * scale))))
    draw_outlines(drawn, [(scaled_outline(cell, scale), UNCLASSIFIED) for cell in cells], least=2)
    return drawn
