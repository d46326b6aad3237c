"""The audit trail: who did what to which record, when, and from what to what. It is only ever added to."""

import dataclasses
import math
import sqlite3
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from device.store.database import Database
from device.store.names import checked_operator
from device.system.clock import Clock
from smear.output_files import printable

_COLUMNS = (
    "wall_time_s", "operator", "action", "slide_id", "field_id", "number", "old", "new", "reason", "undoes",
)  # fmt: skip
_INSERT = f"INSERT INTO events ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
OF_SLIDE = """
WITH RECURSIVE merged (id) AS (
    VALUES (CAST(? AS INTEGER))
    UNION SELECT CAST(events.new AS INTEGER) FROM merged JOIN events ON events.slide_id = merged.id
    WHERE events.action = 'merge'
)
"""
"""Begins a query of the events of one slide: those of slides that were merged into it are among them."""
DEVICE = 0
"""Stands in place of a slide's number in events of the device itself; slides count from 1."""


class Action(StrEnum):
    """What was done; the columns `old` and `new` of an event say from what to what."""

    CLASSIFY = "classify"  # a cell: the class that this operator gave it
    UNDO = "undo"  # of the event `undoes`
    REVIEW = "review"  # a field: a person's answer
    KEEP = "keep"  # a field or a slide: whether it may be removed to make room
    RENAME = "rename"  # a slide, as the next four
    STAIN = "stain"
    SPECIMEN = "specimen"
    NOTE = "note"
    OPERATOR = "operator"
    MERGE = "merge"  # `new`: the number of the slide whose fields came
    MERGED = "merged"  # `new`: the number of the slide that the fields went to
    DELETE = "delete"  # a slide with all its fields
    FORGET = "forget"  # fields past the allowed age; `old`: how many
    SIGN = "sign"  # `new`: the version that was signed
    AMEND = "amend"  # `new`: the version that begins
    OBJECTIVE = "objective"  # in the light path from this field on; the device notes it by itself
    QC = "qc"  # the slide was read for the quality control; `new`: what it measured
    SETTING = "setting"  # of the device, as the next two: a key and its value as TOML
    MODEL = "model"  # the bundle in use
    SCREEN = "screen"  # touched or typed from elsewhere; `old`: the page that was shown


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the audit trail."""

    id: int
    wall_time_s: float
    operator: str  # "": nobody was named
    action: str
    slide_id: int
    field_id: int | None = None  # None: of the slide as a whole
    number: int | None = None  # of a cell in the field
    old: str | None = None  # None: nothing was said before
    new: str | None = None  # None: what was said was taken back
    reason: str = ""
    undoes: int | None = None  # the event that this one takes back

    def to_json(self) -> dict[str, Any]:
        """Return the event as JSON types."""
        return dataclasses.asdict(self)


def record_event(
    connection: sqlite3.Connection,
    wall_time_s: float,
    operator: str,
    action: Action,
    slide_id: int,
    *,
    field_id: int | None = None,
    number: int | None = None,
    old: str | None = None,
    new: str | None = None,
    reason: str = "",
    undoes: int | None = None,
) -> Event:
    """Add one event inside the transaction of what it tells of, so that neither stands without the other."""
    values = (wall_time_s, operator, str(action), slide_id, field_id, number, old, new, reason, undoes)
    event_id = connection.execute(_INSERT, values).lastrowid
    assert event_id is not None
    return Event(event_id, *values)


class AuditTrail:
    """Reads the audit trail of one open database, and adds what was done to the device itself."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._rows = database.rows
        self._database, self._clock = database, clock

    def note_of_device(self, operator: str, action: Action, old: str | None, new: str | None) -> Event:
        """Add one event of no slide.

        Raises:
            StoreError: nobody is named, or the disk is full.
        """
        operator = checked_operator(operator)
        with self._database.transaction() as connection:
            return record_event(connection, self._clock.wall_s(), operator, action, DEVICE, old=old, new=new)

    def events(self, slide_id: int, limit: int = 1000, after: int = 0) -> list[Event]:
        """Return the events of a slide, deleted ones included, oldest first; `after` is the id of the last one seen."""
        sql = f"{OF_SLIDE} SELECT * FROM events WHERE slide_id IN merged AND id > ? ORDER BY id LIMIT ?"
        return [event_of(row) for row in self._rows(sql, slide_id, after, limit)]

    def newest_of_device(self, limit: int) -> list[Event]:
        """Return the newest events of no slide, newest first."""
        rows = self._rows("SELECT * FROM events WHERE slide_id = ? ORDER BY id DESC LIMIT ?", DEVICE, limit)
        return [event_of(row) for row in rows]

    def events_of_cell(self, field_id: int, number: int) -> list[Event]:
        """Return the events of one cell, oldest first."""
        rows = self._rows("SELECT * FROM events WHERE field_id = ? AND number = ? ORDER BY id", field_id, number)
        return [event_of(row) for row in rows]


def event_of(row: sqlite3.Row) -> Event:
    """Read one row of `events`."""
    values = dict(row)
    for name in ("operator", "action", "old", "new", "reason"):
        values[name] = printable(str(values[name])) if values[name] is not None else None
    return Event(**values | {"wall_time_s": time_of(values["wall_time_s"])})


def time_of(value: object) -> float:
    """Return a recorded moment, Unix time; 0 where the disk has damaged it."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else 0.0
