"""What people call cells: each change is an event, and the last of each operator is what that operator says now."""

import sqlite3
from collections.abc import Sequence

from device.counting.cell_classes import MAX_NAME
from device.store.database import Database
from device.store.names import checked_operator, checked_text, not_there
from device.store.review.audit_trail import OF_SLIDE, Action, Event, event_of, record_event
from device.store.review.sign_off import require_editable
from device.system.clock import Clock
from smear.errors import StoreError

_CELL = """
SELECT cells.slide_id, cells.accepted, cells.cell_class AS latest, own.cell_class AS own
FROM cells LEFT JOIN classifications AS own ON own.slide_id = cells.slide_id AND own.operator = ?
    AND own.field_id = cells.field_id AND own.number = cells.number
WHERE cells.field_id = ? AND cells.number = ?
"""
_NOT_UNDONE = "NOT EXISTS (SELECT 1 FROM events AS later WHERE later.undoes = events.id)"
_LAST_OF_OPERATOR = f"""
{OF_SLIDE} SELECT events.* FROM events JOIN cells USING (field_id, number)
WHERE events.slide_id IN merged AND operator = ? AND action = '{Action.CLASSIFY}' AND cells.slide_id = ?
    AND {_NOT_UNDONE} ORDER BY events.id DESC LIMIT 1
"""
_LATEST_OF_CELL = f"""
SELECT new FROM events WHERE field_id = ? AND number = ? AND action = '{Action.CLASSIFY}' AND {_NOT_UNDONE}
ORDER BY id DESC LIMIT 1
"""


class Classification:
    """Classifies the cells of one open database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def classify(self, operator: str, cells: Sequence[tuple[int, int]], cell_class: str) -> list[Event]:
        """Say that each of `cells`, given by field and number, is of `cell_class`: all of them or, on an error, none.

        Returns one event for each cell that this operator had not called so last.

        Raises:
            StoreError: there is no such cell, its field is refused, its slide is signed, or a name cannot be used.
        """
        operator = checked_operator(operator)
        cell_class = checked_text("the name of a class", cell_class, MAX_NAME)
        events: list[Event] = []
        editable: set[int] = set()
        with self._database.transaction() as connection:
            for place in cells:
                row = _found(connection, operator, place)
                if row["slide_id"] not in editable:
                    require_editable(connection, row["slide_id"])
                    editable.add(row["slide_id"])
                if row["own"] == row["latest"] == cell_class:
                    continue
                events.append(self._record(connection, operator, Action.CLASSIFY, row, place, cell_class))
                _set_own(connection, row["slide_id"], operator, place, cell_class)
                _set_latest(connection, place, cell_class)
        return events

    def undo(self, operator: str, slide_id: int) -> Event | None:
        """Take the last classification by this operator on the slide back; return None where there is none left.

        The cell is again what the operator called it before, and for everybody what was said of it last.

        Raises:
            StoreError: there is no such slide, or it is signed.
        """
        operator = checked_operator(operator)
        with self._database.transaction() as connection:
            require_editable(connection, slide_id)
            rows = connection.execute(_LAST_OF_OPERATOR, (slide_id, operator, slide_id)).fetchall()
            if not rows:
                return None
            last = event_of(rows[0])
            assert last.field_id is not None
            assert last.number is not None
            place = last.field_id, last.number
            row = _found(connection, operator, place)
            event = self._record(connection, operator, Action.UNDO, row, place, last.old, last.id)
            _set_own(connection, slide_id, operator, place, last.old)
            latest = connection.execute(_LATEST_OF_CELL, place).fetchone()
            _set_latest(connection, place, latest["new"] if latest else None)
        return event

    def _record(
        self,
        connection: sqlite3.Connection,
        operator: str,
        action: Action,
        row: sqlite3.Row,
        place: tuple[int, int],
        new: str | None,
        undoes: int | None = None,
    ) -> Event:
        field_id, number = place
        return record_event(connection, self._clock.wall_s(), operator, action, row["slide_id"], field_id=field_id,
                            number=number, old=row["own"], new=new, undoes=undoes)  # fmt: skip


def _found(connection: sqlite3.Connection, operator: str, place: tuple[int, int]) -> sqlite3.Row:
    row: sqlite3.Row | None = connection.execute(_CELL, (operator, *place)).fetchone()
    name = f"{place[0]}.{place[1]}"
    if row is None:
        raise not_there("cell", name)
    if not row["accepted"]:
        raise StoreError(f"cell {name} is in a field without a label, whose cells are not counted; choose another one")
    return row


def _set_own(
    connection: sqlite3.Connection, slide_id: int, operator: str, place: tuple[int, int], cell_class: str | None
) -> None:
    if cell_class is None:
        connection.execute(
            "DELETE FROM classifications WHERE slide_id = ? AND operator = ? AND field_id = ? AND number = ?",
            (slide_id, operator, *place),
        )
    else:
        connection.execute(
            "INSERT INTO classifications VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET cell_class = excluded.cell_class",
            (slide_id, operator, *place, cell_class),
        )


def _set_latest(connection: sqlite3.Connection, place: tuple[int, int], cell_class: str | None) -> None:
    connection.execute("UPDATE cells SET cell_class = ? WHERE field_id = ? AND number = ?", (cell_class, *place))
