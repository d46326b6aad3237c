"""Questions to the store: slides, fields, cells and the review queue. Each is one indexed look-up."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from device.store.database import explained
from device.store.records import CellRecord, FieldRecord, SlideRecord, cell_of, field_of, tally_from
from smear.errors import StoreError

_BATCH = 500  # rows read at a time where all are wanted, so that a million fields never stand in memory


class Reader:
    """Reads one open database."""

    def __init__(self, connection: sqlite3.Connection, folder: Path) -> None:
        self.folder = folder
        self._connection = connection
        self._lock = threading.RLock()  # one connection, asked by the recorder and by whoever shows the summary

    def slides(self, limit: int = 20, before: int | None = None) -> list[SlideRecord]:
        """Return the newest slides first; `before` is the id of the last one already seen."""
        rows = self._rows(
            "SELECT * FROM slides WHERE id < ? ORDER BY id DESC LIMIT ?", 2**62 if before is None else before, limit
        )
        return [self._slide(row) for row in rows]

    def slide(self, slide_id: int) -> SlideRecord:
        """Return one slide.

        Raises:
            StoreError: there is none with that number.
        """
        rows = self._rows("SELECT * FROM slides WHERE id = ?", slide_id)
        if not rows:
            raise StoreError(f"no slide {slide_id} in {self.folder}; 'smearscope slides list' shows what there is")
        return self._slide(rows[0])

    def open_slide(self) -> SlideRecord | None:
        """Return the slide that was started and not ended, or None."""
        rows = self._rows("SELECT * FROM slides WHERE ended_s IS NULL ORDER BY id DESC LIMIT 1")
        return self._slide(rows[0]) if rows else None

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
            raise StoreError(f"no field {field_id} in {self.folder}; 'smearscope slides show' lists a slide's fields")
        return field_of(rows[0])

    def cells(self, field_id: int) -> list[CellRecord]:
        """Return the leukocytes of one field."""
        rows = self._rows("SELECT * FROM cells WHERE field_id = ? ORDER BY number", field_id)
        return [cell_of(row) for row in rows]

    def to_review(self, limit: int = 20) -> list[FieldRecord]:
        """Return the fields a person should look at, oldest first."""
        rows = self._rows("SELECT * FROM fields WHERE review = 1 ORDER BY id LIMIT ?", limit)
        return [field_of(row) for row in rows]

    def reviewed(self) -> Iterator[FieldRecord]:
        """Yield every field that a person gave a class to."""
        after = 0
        while rows := self._rows(
            "SELECT * FROM fields WHERE reviewed_label IS NOT NULL AND id > ? ORDER BY id LIMIT ?", after, _BATCH
        ):
            yield from (field_of(row) for row in rows)
            after = rows[-1]["id"]

    def image_path(self, record: FieldRecord) -> Path | None:
        """Return where a field's photograph is; None once it was removed."""
        return self.folder / record.image if record.image else None

    def close(self) -> None:
        """Close the database; safe to call twice."""
        self._connection.close()

    def _slide(self, row: sqlite3.Row) -> SlideRecord:
        counts = self._rows("SELECT kind, name, n FROM slide_counts WHERE slide_id = ?", row["id"])
        return SlideRecord(
            id=row["id"],
            name=row["name"],
            started_s=row["started_s"],
            ended_s=row["ended_s"],
            simulated=bool(row["simulated"]),
            keep=bool(row["keep"]),
            tally=tally_from(counts),
        )

    def _rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        with self._lock, explained(self.folder):
            return self._connection.execute(sql, values).fetchall()
