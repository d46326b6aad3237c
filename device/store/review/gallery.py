"""The gallery of a slide: pages of its cells that may be counted, each page a few looks into an index."""

import heapq
from collections.abc import Sequence
from itertools import islice
from typing import Literal

from device.store.database import Database
from device.store.records import CellRecord
from device.store.rows import cell_of
from smear.errors import StoreError

Order = Literal["taken", "opinion"]

# One look an index for each class that is there; a DISTINCT would read all cells of the slide.
_CLASSES = """
WITH RECURSIVE found (cell_class) AS (
    SELECT min(cell_class) FROM cells WHERE slide_id = ?1 AND accepted = 1
    UNION ALL
    SELECT (SELECT min(cell_class) FROM cells WHERE slide_id = ?1 AND accepted = 1
            AND cell_class > found.cell_class)
    FROM found WHERE found.cell_class IS NOT NULL
)
SELECT cell_class FROM found WHERE cell_class IS NOT NULL
"""
_PAGE = "SELECT * FROM cells INDEXED BY {index} WHERE slide_id = ? AND accepted = 1 AND cell_class IS ?"
_NOT_BY = (
    " AND NOT EXISTS (SELECT 1 FROM classifications AS own WHERE own.slide_id = cells.slide_id AND own.operator = ?"
    " AND own.field_id = cells.field_id AND own.number = cells.number)"
)
_INDEX: dict[Order, str] = {"taken": "cells_in_order", "opinion": "cells_by_opinion"}
_SORTED: dict[Order, str] = {
    "taken": " ORDER BY field_id, number LIMIT ?",
    "opinion": " ORDER BY opinion, opinion_p DESC, field_id, number LIMIT ?",
}


class Gallery:
    """Reads the cells of one open database."""

    def __init__(self, database: Database) -> None:
        self._rows = database.rows

    def cell(self, field_id: int, number: int) -> CellRecord:
        """Return one cell.

        Raises:
            StoreError: there is none with that number.
        """
        rows = self._rows("SELECT * FROM cells WHERE field_id = ? AND number = ?", field_id, number)
        if not rows:
            raise StoreError(f"no cell {field_id}.{number}; 'smearscope cells list SLIDE' shows the cells of a slide")
        return cell_of(rows[0])

    def browse(
        self,
        slide_id: int,
        *,
        cell_class: str | None = None,
        unclassified: bool = False,
        operator: str | None = None,
        order: Order = "taken",
        after: tuple[int, int] | None = None,
        limit: int = 50,
    ) -> list[CellRecord]:
        """Return a page of the cells of accepted fields: those that a person last called `cell_class`, or all.

        `unclassified`: those that nobody has classified, or that `operator` has not, whatever others called them.
        The order is that in which the fields were taken, or by the network's opinion, the likeliest first. `after` is
        the field and number of the last cell seen.

        Raises:
            StoreError: there is no cell `after`.
        """
        last = self.cell(*after) if after else None
        by_others = not unclassified or operator is not None
        classes = [cell_class] if cell_class is not None else [None, *(self._classes(slide_id) if by_others else [])]
        condition, values = (_NOT_BY, [operator]) if unclassified and operator is not None else ("", [])
        pages = [self._page(order, [slide_id, each], condition, values, last, limit) for each in classes]
        return list(islice(heapq.merge(*pages, key=_PLACE[order]), limit))

    def class_totals(self, slide_id: int) -> dict[str, int]:
        """Return how many cells of accepted fields were last called each class, whoever said it."""
        rows = self._rows(
            "SELECT cell_class, count(*) AS n FROM cells INDEXED BY cells_in_order"
            " WHERE slide_id = ? AND accepted = 1 AND cell_class IS NOT NULL GROUP BY cell_class",
            slide_id,
        )
        return {str(row["cell_class"]): row["n"] for row in rows}

    def classified_by_field(self, slide_id: int) -> dict[int, int]:
        """Return how many cells people classified, by field, where there are any."""
        rows = self._rows(
            "SELECT field_id, count(*) AS n FROM cells INDEXED BY cells_in_order"
            " WHERE slide_id = ? AND accepted = 1 AND cell_class IS NOT NULL GROUP BY field_id",
            slide_id,
        )
        return {row["field_id"]: row["n"] for row in rows}

    def _classes(self, slide_id: int) -> list[str]:
        return [row["cell_class"] for row in self._rows(_CLASSES, slide_id)]

    def _page(
        self,
        order: Order,
        of_class: Sequence[object],
        condition: str,
        values: Sequence[object],
        last: CellRecord | None,
        limit: int,
    ) -> list[CellRecord]:
        found: list[CellRecord] = []
        for part, bounds in _parts(order, last):
            sql = _PAGE.format(index=_INDEX[order]) + part + condition + _SORTED[order]
            rows = self._rows(sql, *of_class, *bounds, *values, limit - len(found))
            found += map(cell_of, rows)
            if len(found) == limit:
                break
        return found


def _parts(order: Order, last: CellRecord | None) -> list[tuple[str, list[object]]]:
    """Return conditions that together hold for what comes after `last`, in order; each is one range of the index."""
    if last is None:
        return [("", [])]
    place: list[object] = [last.field_id, last.number]
    later = " AND (field_id, number) > (?, ?)"
    if order == "taken":
        return [(later, place)]
    if last.opinion is None:
        return [(" AND opinion IS NULL" + later, place), (" AND opinion IS NOT NULL", [])]
    return [
        (" AND opinion = ? AND opinion_p IS ?" + later, [last.opinion, last.opinion_p, *place]),
        (" AND opinion = ? AND opinion_p < ?", [last.opinion, last.opinion_p]),
        (" AND opinion > ?", [last.opinion]),
    ]


def _place_taken(cell: CellRecord) -> tuple[object, ...]:
    return cell.field_id, cell.number


def _place_by_opinion(cell: CellRecord) -> tuple[object, ...]:
    return cell.opinion is not None, cell.opinion or "", -(cell.opinion_p or 0.0), cell.field_id, cell.number


_PLACE = {"taken": _place_taken, "opinion": _place_by_opinion}
