"""The gallery of a slide: pages of its cells that may be counted, each page a few looks into an index."""

import heapq
from collections.abc import Iterable, Iterator
from itertools import islice
from types import NoneType
from typing import Any, Literal

from device.store.database import Database
from device.store.names import not_there
from device.store.records import CellRecord
from device.store.rows import cell_of
from smear.errors import StoreError
from smear.output_files import printable

Order = Literal["taken", "opinion"]
Place = tuple[int, int]
"""Field and number of a cell."""
Key = tuple[Any, ...]
"""What the cells of a slide are sorted by; it ends with the place of the cell."""

_AT_ONCE = 16  # keys read from the index at once: a page is merged from one range for each class
# How SQLite sorts values of different types; nothing but text, a number and nothing, where no disk has damaged them.
_RISING = {int: 0, float: 0, str: 1, bytes: 2, NoneType: 3}
_FALLING = {bytes: 0, str: 1, int: 2, float: 2, NoneType: 3}
_CELLS_AT_ONCE = 500  # SQLite takes 32,766 values in one question
# One look into the index for each class that is there; a DISTINCT would read all cells of the slide.
_CLASSES = """
WITH RECURSIVE found (cell_class) AS (
    SELECT min(cell_class) FROM cells WHERE slide_id = ?1 AND accepted = 1
    UNION ALL
    SELECT (SELECT min(cell_class) FROM cells WHERE slide_id = ?1 AND accepted = 1 AND cell_class > found.cell_class)
    FROM found WHERE found.cell_class IS NOT NULL
)
SELECT cell_class FROM found WHERE cell_class IS NOT NULL
"""
_CLASSIFIED = (
    "SELECT {0}, count(*) FROM cells INDEXED BY cells_in_order"
    " WHERE slide_id = ? AND accepted = 1 AND cell_class IS NOT NULL GROUP BY {0}"
)
_KEYS: dict[Order, str] = {
    "taken": "SELECT field_id, number FROM cells INDEXED BY cells_in_order"
    " WHERE slide_id = ? AND accepted = 1 AND cell_class IS ?{} ORDER BY field_id, number LIMIT ?",
    "opinion": "SELECT opinion, opinion_p, field_id, number FROM cells INDEXED BY cells_by_opinion"
    " WHERE slide_id = ? AND accepted = 1 AND cell_class IS ?{}"
    " ORDER BY opinion, opinion_p DESC, field_id, number LIMIT ?",
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
            raise not_there("cell", f"{field_id}.{number}")
        return cell_of(rows[0])

    def browse(
        self,
        slide_id: int,
        *,
        cell_class: str | None = None,
        unclassified: bool = False,
        operator: str | None = None,
        order: Order = "taken",
        after: Place | None = None,
        limit: int = 50,
    ) -> list[CellRecord]:
        """Return a page of the cells of accepted fields: those that a person last called `cell_class`, or all.

        `unclassified`: those that nobody has classified, or that `operator` has not, whatever others called them.
        The order is that in which the fields were taken, or by the network's opinion, the likeliest first and cells
        without one last. `after` is the field and number of the last cell seen.

        Raises:
            StoreError: the slide has no cell `after`.
        """
        last = self._key(slide_id, after, order) if after else None
        if cell_class is not None:
            classes: list[str | None] = [cell_class]
        elif unclassified and operator is None:
            classes = [None]
        else:
            classes = [None, *self._classes(slide_id)]
        keys: Iterator[Key] = heapq.merge(*(self._keys(slide_id, each, order, last) for each in classes), key=_rank)
        if unclassified and operator is not None:
            keys = self._not_by(operator, slide_id, keys)
        return self._cells([key[-2:] for key in islice(keys, limit)])

    def said_of_cell(self, field_id: int, number: int) -> dict[str, str]:
        """Return what each operator calls a cell now."""
        rows = self._rows(
            "SELECT operator, cell_class FROM classifications WHERE field_id = ? AND number = ? ORDER BY operator",
            field_id,
            number,
        )
        return {printable(str(row["operator"])): printable(str(row["cell_class"])) for row in rows}

    def class_totals(self, slide_id: int) -> dict[str, int]:
        """Return how many cells of accepted fields were last called each class, whoever said it."""
        return {printable(str(name)): n for name, n in self._rows(_CLASSIFIED.format("cell_class"), slide_id)}

    def classified_by_field(self, slide_id: int) -> dict[int, int]:
        """Return how many cells people classified, by field, where there are any."""
        return dict(map(tuple, self._rows(_CLASSIFIED.format("field_id"), slide_id)))

    def _classes(self, slide_id: int) -> list[str]:
        return [row["cell_class"] for row in self._rows(_CLASSES, slide_id)]

    def _key(self, slide_id: int, place: Place, order: Order) -> Key:
        """Return the key as it stands in the index, damaged or not."""
        cell = self.cell(*place)  # a clear error where there is none
        if cell.slide_id != slide_id:
            raise StoreError(f"cell {cell.name} is not of slide {slide_id}, but of slide {cell.slide_id}")
        sql = "SELECT opinion, opinion_p FROM cells WHERE field_id = ? AND number = ?"
        return place if order == "taken" else (*self._rows(sql, *place)[0], *place)

    def _keys(self, slide_id: int, cell_class: str | None, order: Order, last: Key | None) -> Iterator[Key]:
        """Yield the keys of one class that come after `last`, a few at a time as they are needed."""
        while True:
            found: list[Key] = []
            for part, bounds in _ranges(order, last):
                if len(found) < _AT_ONCE:
                    sql = _KEYS[order].format(part)
                    found += map(tuple, self._rows(sql, slide_id, cell_class, *bounds, _AT_ONCE - len(found)))
            yield from found
            if len(found) < _AT_ONCE:
                return
            last = found[-1]

    def _not_by(self, operator: str, slide_id: int, keys: Iterator[Key]) -> Iterator[Key]:
        """Leave out what `operator` has classified."""
        while batch := list(islice(keys, _AT_ONCE)):
            places = [key[-2:] for key in batch]
            own = self._rows(
                f"WITH wanted (field_id, number) AS ({_values(places)}) SELECT field_id, number FROM wanted CROSS JOIN"
                " classifications USING (field_id, number) WHERE slide_id = ? AND operator = ?",
                *(part for place in places for part in place), slide_id, operator,
            )  # fmt: skip
            classified = set(map(tuple, own))
            yield from (key for key in batch if key[-2:] not in classified)

    def _cells(self, places: list[Place]) -> list[CellRecord]:
        found: dict[Place, CellRecord] = {}
        for start in range(0, len(places), _CELLS_AT_ONCE):
            part = places[start : start + _CELLS_AT_ONCE]
            rows = self._rows(
                f"WITH wanted (field_id, number) AS ({_values(part)})"
                " SELECT cells.* FROM wanted CROSS JOIN cells USING (field_id, number)",
                *(value for place in part for value in place),
            )
            found |= {(row["field_id"], row["number"]): cell_of(row) for row in rows}
        return [found[place] for place in places if place in found]


def _values(places: Iterable[Place]) -> str:
    return "VALUES " + ", ".join("(?, ?)" for _ in places)


def _rank(key: Key) -> Key:
    """Return what the keys of several classes are merged by: the order of the index, whatever the disk has damaged."""
    *sorted_by, field_id, number = key
    if not sorted_by:
        return key
    opinion, p = sorted_by
    minus_p = -p if isinstance(p, int | float) else 0.0
    return _RISING[type(opinion)], opinion or "", _FALLING[type(p)], minus_p, field_id, number


def _ranges(order: Order, last: Key | None) -> list[tuple[str, Key]]:
    """Return conditions that together hold for what comes after `last`, in order; each is one range of the index."""
    later = " AND (field_id, number) > (?, ?)"
    if order == "taken":
        return [("", ())] if last is None else [(later, last)]
    if last is None:
        return [(" AND opinion IS NOT NULL", ()), (" AND opinion IS NULL", ())]
    opinion, p, *place = last
    same = " AND opinion IS ?"
    found: list[tuple[str, Key]] = [(f"{same} AND opinion_p IS ?{later}", (opinion, p, *place))]
    if p is not None:
        found += [(f"{same} AND opinion_p < ?", (opinion, p)), (f"{same} AND opinion_p IS NULL", (opinion,))]
    if opinion is not None:
        found += [(" AND opinion > ?", (opinion,)), (" AND opinion IS NULL", ())]
    return found
