"""The actions of pages that show cells and fields: what `device.actions` answers, with pictures of it."""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from device.actions.base import Context, cell_json, place_of
from device.actions.cells import whole_cell_json
from device.actions.slides import counted
from device.reporting.cell_pictures import Image, cell_side_px, cropped, photograph_of, resized, scaled_outline
from device.settings import Settings
from device.store import CellRecord, FieldRecord, Store
from smear.inference.overlay import UNCLASSIFIED, draw_outlines

CELL_PX, FIELD_PX = 480, 800  # longest edge of a picture that a page is given
_AROUND = 2.0  # how much more than one cell the page of a cell shows


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
            photograph = lru_cache(1)(partial(photograph_of, store))  # the cells of a field follow one another
            return {
                "slide": {"id": slide.id, "name": slide.name},
                "cells": [cell_json(each) | {"picture": _picture(each, photograph(each.field_id))} for each in cells],
                "classes": [(each.name, each.key) for each in self._settings.cells.classes],
                "count": None if count is None else count.to_json(),
            }

    def _cell(self, request: Mapping[str, Any]) -> dict[str, Any]:
        with self._read() as store:
            cell = store.cell(*place_of(request["cell"]))
            picture = _picture(cell, photograph_of(store, cell.field_id), _AROUND)
            return whole_cell_json(store, cell) | {"picture": picture}

    def _field_waiting(self, request: Mapping[str, Any]) -> dict[str, Any]:
        with self._read() as store:
            found = store.to_review(1, request["after"])
            if not found:
                return {"field": None}
            field, photograph = found[0], photograph_of(store, found[0].id)
            picture = None if photograph is None else _outlined(photograph[1], store.cells(field.id))
            return {"field": field.to_json() | {"slide_name": store.slide(field.slide_id).name, "picture": picture}}


def _picture(cell: CellRecord, photograph: tuple[FieldRecord, Image] | None, around: float = 1.0) -> Image | None:
    if photograph is None:
        return None
    field, image = photograph
    side = cell_side_px(field.pixel_size_um, [cell])
    return cropped(image, cell, round(around * side), CELL_PX if around > 1 else CELL_PX // 3, UNCLASSIFIED)


def _outlined(image: Image, cells: list[CellRecord]) -> Image:
    scale = min(1.0, FIELD_PX / max(image.shape[:2]))
    height, width = image.shape[:2]
    drawn = resized(image, (max(1, round(width * scale)), max(1, round(height * scale))))
    draw_outlines(drawn, [(scaled_outline(cell, scale), UNCLASSIFIED) for cell in cells], least=2)
    return drawn
