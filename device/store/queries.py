"""Questions to the store: slides, fields, cells and the review queue. Each is one indexed look-up."""

import sqlite3
from collections.abc import Iterator

from device.store.database import Database
from device.store.names import DETAILS, LAST_NUMBER, not_there
from device.store.records import CellRecord, FieldRecord, SlideRecord
from device.store.rows import cell_of, field_of, slide_of
from smear.errors import StoreError
from smear.output_files import printable

_BATCH = 500  # rows read at a time where all are wanted, so that a million fields never stand in memory
_TEXTS = ("name", *DETAILS)


class Queries:
    """Reads one open database."""

    def __init__(self, database: Database) -> None:
        self._rows = database.rows
        self._where = printable(database.folder)

    def store_id(self) -> str:
        """Return what tells this store from those of other devices, and from one begun anew: 8 hexadecimal digits."""
        return str(self._rows("SELECT id FROM store_identity")[0]["id"])

    def slides(self, limit: int = 20, before: int | None = None) -> list[SlideRecord]:
        """Return the newest slides first; `before` is the id of the last one already seen."""
        rows = self._rows(
            "SELECT * FROM slides WHERE id < ? ORDER BY id DESC LIMIT ?",
            LAST_NUMBER if before is None else before,
            limit,
        )
        return [self._slide(row) for row in rows]

    def find_slides(self, text: str, limit: int = 20, before: int | None = None) -> list[SlideRecord]:
        """Return the newest slides whose name, operator, stain, specimen or note holds `text`, in any case."""
        rows = self._rows(
            f"SELECT * FROM slides WHERE id < ?1 AND ({' OR '.join(f'instr(casefold({each}), ?2)' for each in _TEXTS)})"
            " ORDER BY id DESC LIMIT ?3",
            LAST_NUMBER if before is None else before,
            text.casefold(),
            limit,
        )
        return [self._slide(row) for row in rows]

    def slide(self, slide_id: int) -> SlideRecord:
        """Return one slide.

        Raises:
            StoreError: there is none with that number.
        """
        rows = self._rows("SELECT * FROM slides WHERE id = ?", slide_id)
        if not rows:
            raise not_there("slide", slide_id, f" in {self._where}")
        return self._slide(rows[0])

    def slide_called(self, name: str) -> SlideRecord:
        """Return the slide whose number or, if there is none, whose name is `name`.

        Raises:
            StoreError: there is none, or several have that name.
        """
        # SQLite compares a text with an integer column as a number; "12 " or "0x1" are none.
        number = int(name) if name.isascii() and name.isdigit() and len(name) < len(str(LAST_NUMBER)) else None
        rows = self._rows("SELECT id FROM slides WHERE id = ?", number) if number is not None else []
        rows = rows or self._rows("SELECT id FROM slides WHERE name = ? ORDER BY id DESC LIMIT 4", name)
        if len(rows) > 1:
            numbers = ", ".join(str(row["id"]) for row in rows[:3]) + (" ..." if len(rows) > 3 else "")
            raise StoreError(f"several slides are called {printable(name)!r}: {numbers}; give the number of one")
        if not rows:
            called = name if name.isdecimal() else repr(printable(name))
            raise not_there("slide", called, f" in {self._where}")
        return self.slide(rows[0]["id"])

    def open_slide(self) -> SlideRecord | None:
        """Return the slide that was started and not ended, or None."""
        rows = self._rows("SELECT id FROM slides WHERE ended_s IS NULL ORDER BY id DESC LIMIT 1")
        return self.slide(rows[0]["id"]) if rows else None

    def fields(self, slide_id: int, limit: int = 20, after: int = 0) -> list[FieldRecord]:
        """Return fields of a slide in the order they were recorded; `after` is the id of the last one seen."""
        rows = self._rows(
            "SELECT * FROM fields WHERE slide_id = ? AND id > ? ORDER BY id LIMIT ?", slide_id, after, limit
        )
        return [field_of(row) for row in rows]

    def latest_fields(self, slide_id: int, limit: int = 20) -> list[FieldRecord]:
        """Return the last fields of a slide, newest first."""
        rows = self._rows("SELECT * FROM fields WHERE slide_id = ? ORDER BY id DESC LIMIT ?", slide_id, limit)
        return [field_of(row) for row in rows]

    def all_fields(self, slide_id: int) -> Iterator[FieldRecord]:
        """Yield every field of a slide."""
        after = 0
        while found := self.fields(slide_id, _BATCH, after):
            yield from found
            after = found[-1].id

    def field(self, field_id: int) -> FieldRecord:
        """Return one field.

        Raises:
            StoreError: there is none with that number.
        """
        rows = self._rows("SELECT * FROM fields WHERE id = ?", field_id)
        if not rows:
            raise not_there("field", field_id, f" in {self._where}")
        return field_of(rows[0])

    def cells(self, field_id: int) -> list[CellRecord]:
        """Return the leukocytes of one field."""
        rows = self._rows("SELECT * FROM cells WHERE field_id = ? ORDER BY number", field_id)
        return [cell_of(row) for row in rows]

    def to_review(self, limit: int = 20, after: int = 0) -> list[FieldRecord]:
        """Return the fields a person should look at, oldest first; `after` is the id of the last one seen."""
        rows = self._rows("SELECT * FROM fields WHERE review = 1 AND id > ? ORDER BY id LIMIT ?", after, limit)
        return [field_of(row) for row in rows]

    def reviewed(self) -> Iterator[FieldRecord]:
        """Yield every field that a person gave a class to, or called none of the classes."""
        after = 0
        while rows := self._rows(
            "SELECT * FROM fields WHERE reviewed_label IS NOT NULL AND id > ? ORDER BY id LIMIT ?", after, _BATCH
        ):
            yield from (field_of(row) for row in rows)
            after = rows[-1]["id"]

    def reviewed_counts(self, slide_id: int) -> dict[str, int]:
        """Return how many fields of a slide a person gave each label to."""
        rows = self._rows(
            "SELECT reviewed_label AS label, count(*) AS n FROM fields"
            " WHERE slide_id = ? AND reviewed_label IS NOT NULL GROUP BY reviewed_label",
            slide_id,
        )
        return {str(row["label"]): row["n"] for row in rows}

    def _slide(self, row: sqlite3.Row) -> SlideRecord:
        signed = self._rows("SELECT 1 FROM signatures WHERE slide_id = ? AND version = ?", row["id"], row["version"])
        return slide_of(row, self._counts(row["id"]), bool(signed))

    def _counts(self, slide_id: int) -> list[sqlite3.Row]:
        return self._rows("SELECT kind, name, n FROM slide_counts WHERE slide_id = ?", slide_id)
