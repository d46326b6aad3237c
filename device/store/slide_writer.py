"""Slides and fields entering the store: each field is safe on the disk, and counted, when its number is returned."""

import sqlite3
from collections.abc import Iterable
from dataclasses import astuple

from device.store.database import Database
from device.store.names import checked_name
from device.store.photographs import Photographs
from device.store.records import QC_NOT_CLEARED, REVIEW_CODES, Circumstances, FieldRecord, SlideDetails
from device.store.removal import Removal, doom
from device.store.review.audit_trail import Action, record_event
from device.store.review.sign_off import require_editable
from device.store.rows import BUNDLE, INSERT_CELL, cell_rows, counts_of, counts_of_record, field_of, field_row
from device.store.slide_summary import SlideTally, tally_of
from device.system.clock import Clock
from smear.findings import Finding, Frame

_END_OPEN_SLIDES = (
    "UPDATE slides SET ended_s = coalesce((SELECT max(wall_time_s) FROM fields WHERE slide_id = slides.id), started_s)"
    " WHERE ended_s IS NULL"
)
_OBJECTIVES = "SELECT new FROM events WHERE slide_id = ? AND action = ? ORDER BY id DESC LIMIT 1"
_ADD_COUNTS = "INSERT INTO slide_counts VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n"


class SlideWriter:
    """Writes into one open database."""

    def __init__(self, database: Database, photographs: Photographs, removal: Removal, clock: Clock) -> None:
        self._database = database
        self._photographs = photographs
        self._removal = removal
        self._clock = clock
        self._objectives: dict[int, str | None] = {}  # of the latest field, by slide

    def start_slide(self, name: str, simulated: bool = False, details: SlideDetails | None = None) -> int:
        """Start a slide, ending any that a killed run left open; return its number.

        Raises:
            StoreError: the name, or a text of `details`, cannot be shown in a line, or the disk failed.
        """
        name = checked_name(name)
        said = astuple((details or SlideDetails()).checked())
        with self._database.transaction() as connection:
            connection.execute(_END_OPEN_SLIDES)
            cursor = connection.execute(
                "INSERT INTO slides (name, started_s, simulated, operator, stain, specimen, note)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (name, self._clock.wall_s(), int(simulated), *said),
            )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def end_slide(self, slide_id: int, seen_again: int = 0) -> None:
        """End a slide, in which `seen_again` more frames showed a field that it had."""
        with self._database.transaction() as connection:
            require_editable(connection, slide_id)
            add_counts(connection, slide_id, counts_of(SlideTally(seen_again=seen_again)))
            connection.execute("UPDATE slides SET ended_s = ? WHERE id = ?", (self._clock.wall_s(), slide_id))

    def reopen_slide(self, slide_id: int) -> None:
        """Open a slide again that was ended.

        Raises:
            StoreError: it was signed or deleted.
        """
        with self._database.transaction() as connection:
            require_editable(connection, slide_id)
            connection.execute(_END_OPEN_SLIDES)
            connection.execute("UPDATE slides SET ended_s = NULL WHERE id = ?", (slide_id,))

    def count_seen_again(self, slide_id: int, seen_again: int) -> None:
        """Count `seen_again` more frames that showed a field which the slide had."""
        with self._database.transaction() as connection:
            require_editable(connection, slide_id)
            add_counts(connection, slide_id, counts_of(SlideTally(seen_again=seen_again)))

    def add_field(
        self,
        slide_id: int,
        frame: Frame,
        finding: Finding,
        circumstances: Circumstances | None = None,
        review: bool = False,
        *,
        instead_of: int | None = None,
        seen_again: int = 0,
    ) -> int:
        """Record one distinct field and count it; when this returns its number, it is safe on the disk.

        In the same transaction `instead_of`, the number of a worse view of the field that carries no label, is removed
        with its counts, unless a person kept or reviewed it; and `seen_again` more frames are counted that showed a
        field which the slide had.

        Raises:
            StoreError: no room, locked, or the disk failed; nothing of the field was recorded then.
            ImageError: the photograph cannot be encoded.
        """
        self._removal.make_room()
        # The photograph first: a record never names a picture that is not there.
        image = self._photographs.add(slide_id, frame.sequence, frame.image)
        try:
            circumstances = circumstances or Circumstances()
            row = field_row(frame, finding, circumstances)
            with self._database.transaction() as connection:
                require_editable(connection, slide_id)
                if instead_of is not None:
                    review = _remove_worse(connection, instead_of, slide_id) or review
                row |= {"slide_id": slide_id, "review": int(review), "image": image}
                field_id = _insert(connection, slide_id, row, frame, finding)
                add_counts(connection, slide_id, counts_of(tally_of(finding, circumstances.qc == QC_NOT_CLEARED)))
                add_counts(connection, slide_id, counts_of(SlideTally(seen_again=seen_again)))
                if finding.bundle_sha256:
                    add_counts(connection, slide_id, [(BUNDLE, finding.bundle_sha256, 1)])
                self._note_objective(connection, slide_id, field_id, circumstances.objective)
        except BaseException:
            self._photographs.remove(image)
            raise
        self._objectives = {slide_id: circumstances.objective}
        if instead_of is not None:
            self._removal.remove_photographs()
        return field_id

    def _note_objective(self, connection: sqlite3.Connection, slide_id: int, field_id: int, now: str | None) -> None:
        """Add an event to the audit trail where a field is the first one under another objective."""
        if slide_id in self._objectives:
            before = self._objectives[slide_id]
        else:
            events = connection.execute(_OBJECTIVES, (slide_id, Action.OBJECTIVE))
            before = next((row["new"] for row in events), None)
        if now != before:
            record_event(connection, self._clock.wall_s(), "", Action.OBJECTIVE, slide_id, field_id=field_id,
                         old=before, new=now)  # fmt: skip


def _insert(
    connection: sqlite3.Connection, slide_id: int, row: dict[str, object], frame: Frame, finding: Finding
) -> int:
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    cursor = connection.execute(
        f"INSERT INTO fields ({names}, keep) VALUES ({marks}, (SELECT keep FROM slides WHERE id = ?))",
        (*row.values(), slide_id),
    )
    field_id = cursor.lastrowid
    assert field_id is not None
    connection.executemany(INSERT_CELL, cell_rows(field_id, slide_id, frame, finding))
    return field_id


def _remove_worse(connection: sqlite3.Connection, field_id: int, slide_id: int) -> bool:
    """Remove a record without a label; return whether a person had asked to look at it."""
    worse = remove_view(connection, field_id, slide_id, only_unlabelled=True)
    return worse is not None and worse.review and not _was_doubtful(worse)


def remove_view(
    connection: sqlite3.Connection, field_id: int, slide_id: int, *, only_unlabelled: bool = False
) -> FieldRecord | None:
    """Remove a record, its counts and its photograph, which goes after the transaction; return what it was.

    None: it is not there, or a person kept or reviewed it or classified a cell of it. It stays, and stays counted.
    """
    rows = connection.execute(
        "SELECT * FROM fields WHERE id = ? AND slide_id = ? AND keep = 0 AND reviewed_label IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM classifications WHERE field_id = fields.id)",
        (field_id, slide_id),
    ).fetchall()
    if not rows or (only_unlabelled and rows[0]["label"] is not None):
        return None
    record = field_of(rows[0])
    doom(connection, "id = ?", field_id)
    connection.execute("DELETE FROM fields WHERE id = ?", (field_id,))
    connection.executemany(
        "UPDATE slide_counts SET n = n - ? WHERE slide_id = ? AND kind = ? AND name = ?",
        [(n, slide_id, kind, name) for kind, name, n in counts_of_record(record)],
    )
    connection.execute("DELETE FROM slide_counts WHERE slide_id = ? AND n <= 0", (slide_id,))
    return record


def _was_doubtful(record: FieldRecord) -> bool:
    """Return whether the record waits for a person because of its refusals, and not because somebody asked."""
    return any(each.code in REVIEW_CODES for each in record.refusals)


def add_counts(connection: sqlite3.Connection, slide_id: int, counts: Iterable[tuple[str, str, int]]) -> None:
    """Add rows of `slide_counts`, kind, name and number, to those of a slide."""
    connection.executemany(_ADD_COUNTS, [(slide_id, *count) for count in counts])
