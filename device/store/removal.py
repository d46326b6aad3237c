"""What leaves the store: slides that a person deletes, records past their age, photographs that must make room."""

import sqlite3

from device.store.database import Database, DiskFullError, Writer, writer_of
from device.store.photographs import Photographs
from device.store.queries import Queries
from device.store.retention import DAY_S, MEGABYTE, Retention
from device.store.review.audit_trail import OF_SLIDE, Action, record_event
from device.store.review.sign_off import require_never_signed, was_signed
from device.system.clock import Clock, boot_id
from smear.errors import StoreError
from smear.output_files import printable

_REMOVED_AT_ONCE = 32  # photographs given up in one transaction when the disk is nearly full
_FORGOTTEN_AT_ONCE = 200  # records removed in one transaction: recording goes on between two

_TO_DELETE = "'smearscope slides delete --signed' leaves only what was signed"
_NOT_MARKED = "keep = 0 AND review = 0"
_WORKED_ON = """
SELECT slide_id, count(*) AS n FROM fields WHERE {} AND (reviewed_label IS NOT NULL
    OR EXISTS (SELECT 1 FROM classifications WHERE field_id = fields.id)) GROUP BY slide_id
"""
_TOO_OLD_BY_DATE = "wall_time_s < ? AND clock_synced IS NOT 0"
_TOO_OLD_BY_BOOT = "boot_id = ? AND monotonic_s < ?"


class Removal:
    """Removes from one open database. Photographs go after the transaction that gave them up: first the record."""

    def __init__(
        self, database: Database, queries: Queries, photographs: Photographs, retention: Retention, clock: Clock
    ) -> None:
        self._database = database
        self._queries = queries
        self._photographs = photographs
        self._retention = retention
        self._clock = clock

    def delete_slide(self, slide_id: int, *, operator: str = "", signed: bool = False) -> None:
        """Remove a slide, its fields and its photographs for good; also on a full disk.

        `signed`: also one that was signed. What was signed, and the audit trail, stay.

        Raises:
            StoreError: it is marked to keep, was signed, or is being recorded.
        """
        slide = self._queries.slide(slide_id)
        kept = self._database.rows("SELECT 1 FROM fields WHERE slide_id = ? AND keep = 1 LIMIT 1", slide_id)
        if self._database.rows("SELECT 1 FROM signatures WHERE slide_id = ?", slide_id):
            if not signed:
                raise was_signed(slide_id, _TO_DELETE)
        elif slide.keep or kept:
            raise StoreError(f"slide {slide_id} holds what is marked to keep; 'smearscope slides keep --off' first")
        if slide.ended_s is None and writer_of(self._database.folder) is not Writer.NOBODY:
            raise StoreError(f"slide {slide_id} is being recorded; end it first")
        try:
            self._database.freeing(lambda: self._delete(slide_id, operator, signed))
        except DiskFullError:  # its records need more room than the reserve: the photographs make it, a few at a time
            while self._give_up_photographs("slide_id = ?", slide_id):
                pass
            self._delete(slide_id, operator, signed)
        self.remove_photographs()
        for row in self._database.rows(f"{OF_SLIDE} SELECT id FROM merged", slide_id):
            self._photographs.remove_slide(row["id"])  # the photographs of merged slides stayed in their own folders
        self._database.drop_log()

    def make_room(self) -> None:
        """Keep the rest of the disk free, giving up the oldest photographs that nobody marked.

        Raises:
            StoreError: there is no room and nothing that may be removed.
        """
        limits, folder = self._retention, self._database.folder
        while (free := limits.free_bytes(folder)) < limits.min_free_bytes:
            # A photograph that cannot be removed makes no room: no more records lose theirs for nothing.
            if not limits.remove_oldest or not self._give_up_photographs(_NOT_MARKED):
                raise StoreError(
                    f"store {printable(folder)}: only {free / MEGABYTE:.0f} MB free, "
                    f"{limits.min_free_bytes / MEGABYTE:.0f} must stay free; "
                    "export and delete slides, or lower store.min_free_mb"
                )
        self._database.reserve.restore(free - limits.min_free_bytes)

    def forget_old(self, date_is_known: bool = True) -> int:
        """Remove records older than the allowed age, with their photographs; slides keep their counts.

        Where people had worked on records that go, the audit trail says so.

        A record taken while the clock was not set goes by the clock of the boot alone, and so while that boot lasts;
        with `date_is_known` False, as on a Pi that has not reached a time server yet, all do.
        """
        self.remove_photographs()  # those that could not be removed before
        if self._retention.max_age_days is None:
            return 0
        age_s = self._retention.max_age_days * DAY_S
        removed = 0
        if date_is_known:
            removed += self._forget(_TOO_OLD_BY_DATE, self._clock.wall_s() - age_s)
        before_s = self._clock.monotonic_s() - age_s
        if before_s > 0 and (boot := boot_id()):
            removed += self._forget(_TOO_OLD_BY_BOOT, boot, before_s)
        if removed:
            self._database.drop_log()
        return removed

    def remove_photographs(self) -> int:
        """Remove the photographs that were given up; return how many.

        One that cannot be removed is tried again at the next call.
        """
        images = [row["image"] for row in self._database.rows("SELECT image FROM doomed")]
        gone = [(image,) for image in images if self._photographs.remove(str(image))]
        if gone:
            with self._database.transaction() as connection:
                connection.executemany("DELETE FROM doomed WHERE image = ?", gone)
        return len(gone)

    def finish_killed_run(self) -> None:
        """Remove what a killed run left: photographs given up, and ones whose record was never committed."""
        self.remove_photographs()
        # Only a slide still open can hold such a photograph: its writer died between the picture and the record.
        for slide in self._database.rows("SELECT id FROM slides WHERE ended_s IS NULL"):
            rows = self._database.rows("SELECT image FROM fields WHERE slide_id = ?", slide["id"])
            known = {row["image"] for row in rows}
            for name in self._photographs.names(slide["id"]):
                if name not in known:
                    self._photographs.remove_file(name)

    def _delete(self, slide_id: int, operator: str, signed: bool) -> None:
        with self._database.transaction() as connection:
            if not signed:
                require_never_signed(connection, slide_id, _TO_DELETE)
            doom(connection, "slide_id = ?", slide_id)
            connection.execute("DELETE FROM slides WHERE id = ?", (slide_id,))
            record_event(connection, self._clock.wall_s(), operator, Action.DELETE, slide_id)

    def _forget(self, which: str, *values: object) -> int:
        which, removed = f"{_NOT_MARKED} AND {which}", 0
        while rows := self._database.rows(f"SELECT id FROM fields WHERE {which} LIMIT {_FORGOTTEN_AT_ONCE}", *values):
            numbers = [row["id"] for row in rows]
            self._database.freeing(lambda numbers=numbers: self._delete_fields(numbers))  # type: ignore[misc]
            removed += len(numbers)
            self.remove_photographs()
        return removed

    def _delete_fields(self, numbers: list[int]) -> None:
        with self._database.transaction() as connection:
            which = f"id IN ({', '.join('?' * len(numbers))})"
            doom(connection, which, *numbers)
            for row in connection.execute(_WORKED_ON.format(which), numbers):
                record_event(connection, self._clock.wall_s(), "", Action.FORGET, row["slide_id"], old=str(row["n"]),
                             reason="older than store.max_age_days")  # fmt: skip
            connection.execute(f"DELETE FROM fields WHERE {which}", numbers)

    def _give_up_photographs(self, which: str, *values: object) -> int:
        """Give up the oldest photographs among `which`; return how many files were removed."""
        chosen = (
            f"id IN (SELECT id FROM fields WHERE image IS NOT NULL AND {which} ORDER BY id LIMIT {_REMOVED_AT_ONCE})"
        )

        def give_up() -> None:
            with self._database.transaction() as connection:
                doom(connection, chosen, *values)
                connection.execute(f"UPDATE fields SET image = NULL WHERE {chosen}", values)

        self._database.freeing(give_up)
        return self.remove_photographs()


def doom(connection: sqlite3.Connection, which: str, *values: object) -> None:
    """Note the photographs of `which` fields as given up; their files are removed after the transaction."""
    connection.execute(
        f"INSERT OR IGNORE INTO doomed SELECT image FROM fields WHERE image IS NOT NULL AND {which}", values
    )
