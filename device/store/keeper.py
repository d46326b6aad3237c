"""Marks, room and removal: what a person set apart stays, the rest makes room when it must."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from device.store.database import explained, writer_is_alive
from device.store.reader import Reader
from device.store.retention import DAY_S, MEGABYTE, Retention
from device.system.clock import Clock
from smear.classes import LABELS
from smear.errors import StoreError

_REMOVED_AT_ONCE = 32  # photographs given up in one transaction when the disk is nearly full


class Keeper(Reader):
    """Decides what stays in one open database."""

    def __init__(self, connection: sqlite3.Connection, folder: Path, retention: Retention, clock: Clock) -> None:
        super().__init__(connection, folder)
        self._retention = retention
        self._clock = clock

    def set_keep(self, keep: bool, slide_id: int | None = None, field_id: int | None = None) -> None:
        """Mark a slide with all its fields, or one field, so that retention never removes it."""
        with self._transaction():
            if slide_id is not None:
                self._connection.execute("UPDATE slides SET keep = ? WHERE id = ?", (int(keep), slide_id))
                self._connection.execute("UPDATE fields SET keep = ? WHERE slide_id = ?", (int(keep), slide_id))
            if field_id is not None:
                self._connection.execute("UPDATE fields SET keep = ? WHERE id = ?", (int(keep), field_id))

    def set_review(self, field_id: int, wanted: bool, label: str | None = None) -> None:
        """Put a field into the review queue, or take it out with what a person said it is ("": none of the classes).

        Raises:
            StoreError: `label` is not a class.
        """
        if label and label not in LABELS:
            raise StoreError(f"{label!r} is not a class; choose one of {', '.join(LABELS)}")
        with self._transaction():
            self._connection.execute(
                "UPDATE fields SET review = ?, reviewed_label = coalesce(?, reviewed_label) WHERE id = ?",
                (int(wanted), label, field_id),
            )

    def delete_slide(self, slide_id: int) -> None:
        """Remove a slide, its fields and its photographs for good.

        Raises:
            StoreError: it is marked to keep, or is being recorded.
        """
        slide = self.slide(slide_id)
        if slide.keep or self._rows("SELECT 1 FROM fields WHERE slide_id = ? AND keep = 1 LIMIT 1", slide_id):
            raise StoreError(f"slide {slide_id} holds what is marked to keep; 'smearscope slides keep --off' first")
        if slide.ended_s is None and writer_is_alive(self.folder):
            raise StoreError(f"slide {slide_id} is being recorded; end it first")
        with self._transaction():
            self._connection.execute(
                "INSERT OR IGNORE INTO doomed SELECT image FROM fields WHERE slide_id = ? AND image IS NOT NULL",
                (slide_id,),
            )
            self._connection.execute("DELETE FROM slides WHERE id = ?", (slide_id,))
        self._unlink_doomed()

    def make_room(self) -> None:
        """Keep the rest of the disk free, giving up the oldest photographs that nobody marked.

        Raises:
            StoreError: there is no room and nothing that may be removed.
        """
        limits = self._retention
        while (free := limits.free_bytes(self.folder)) < limits.min_free_bytes:
            if not limits.remove_oldest or not self._give_up_photographs():
                raise StoreError(
                    f"store {self.folder}: only {free / MEGABYTE:.0f} MB free, {limits.min_free_bytes / MEGABYTE:.0f} "
                    "must stay free; export and delete slides, or lower store.min_free_mb"
                )

    def forget_old(self) -> int:
        """Remove records older than the allowed age, with their photographs; slides keep their counts.

        The caller must know that the wall clock is right: a Pi that starts without a time server may not.
        """
        if self._retention.max_age_days is None:
            return 0
        before = self._clock.wall_s() - self._retention.max_age_days * DAY_S
        which = "keep = 0 AND review = 0 AND wall_time_s < ?"
        with self._transaction():
            self._connection.execute(
                f"INSERT OR IGNORE INTO doomed SELECT image FROM fields WHERE image IS NOT NULL AND {which}", (before,)
            )
            removed = self._connection.execute(f"DELETE FROM fields WHERE {which}", (before,)).rowcount
        self._unlink_doomed()
        return removed

    def _give_up_photographs(self) -> int:
        with self._transaction():
            rows = self._connection.execute(
                "SELECT id, image FROM fields WHERE image IS NOT NULL AND keep = 0 AND review = 0 ORDER BY id LIMIT ?",
                (_REMOVED_AT_ONCE,),
            ).fetchall()
            self._connection.executemany("INSERT OR IGNORE INTO doomed VALUES (?)", [(r["image"],) for r in rows])
            self._connection.executemany("UPDATE fields SET image = NULL WHERE id = ?", [(r["id"],) for r in rows])
        self._unlink_doomed()
        return len(rows)

    def _unlink_doomed(self) -> None:
        images = [row["image"] for row in self._rows("SELECT image FROM doomed")]
        for image in images:
            (self.folder / image).unlink(missing_ok=True)
        with self._transaction():
            self._connection.executemany("DELETE FROM doomed WHERE image = ?", [(image,) for image in images])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock, explained(self.folder):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
