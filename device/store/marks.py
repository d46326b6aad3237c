"""What a person says of records: to keep them, to look at them, and what they are."""

import sqlite3

from device.store.database import Database
from device.store.names import not_there
from device.store.review.audit_trail import Action, Event, record_event
from device.store.review.sign_off import require_editable, require_never_signed
from device.store.rows import NONE_OF_THEM
from device.system.clock import Clock
from smear.classes import LABELS
from smear.errors import StoreError

KEPT = "kept"
WAITING = "waiting for review"
NONE_OF_THE_CLASSES = "none of the classes"
_KEEP_SLIDE = "UPDATE slides SET keep = ?1 WHERE keep != ?1 AND id = ?2"
_KEEP_FIELDS = "UPDATE fields SET keep = ?1 WHERE keep != ?1 AND slide_id = ?2"
_KEEP_FIELD = "UPDATE fields SET keep = ?1 WHERE keep != ?1 AND id = ?2"


class Marks:
    """Marks records of one open database; each mark is an event of the audit trail, in the same transaction."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def set_keep(
        self, keep: bool, slide_id: int | None = None, field_id: int | None = None, *, operator: str = ""
    ) -> Event | None:
        """Mark a slide with all its fields, or one field, so that retention never removes it.

        Returns what changed; None: the mark was so already.

        Raises:
            StoreError: there is no such field, or the mark would go from a slide that was signed.
        """
        with self._database.transaction() as connection:
            if field_id is not None:
                slide_id = _field(connection, field_id)["slide_id"]
            assert slide_id is not None
            if not keep:
                require_never_signed(connection, slide_id, "it stays marked to keep")
            changes = [_KEEP_SLIDE, _KEEP_FIELDS] if field_id is None else [_KEEP_FIELD]
            which = slide_id if field_id is None else field_id
            if not sum(connection.execute(sql, (int(keep), which)).rowcount for sql in changes):
                return None
            old, new = (None, KEPT) if keep else (KEPT, None)
            return record_event(connection, self._clock.wall_s(), operator, Action.KEEP, slide_id,
                                field_id=field_id, old=old, new=new)  # fmt: skip

    def set_review(self, field_id: int, wanted: bool, label: str | None = None, *, operator: str = "") -> Event | None:
        """Put a field into the review queue, or take it out with what a person said it is (`NONE_OF_THEM`: no class).

        Returns what changed; None: it was so already.

        Raises:
            StoreError: `label` is not a class, there is no such field, or its slide is signed.
        """
        if label not in {None, NONE_OF_THEM, *LABELS}:
            raise StoreError(f"{label!r} is not a class; choose one of {', '.join(LABELS)}")
        with self._database.transaction() as connection:
            row = _field(connection, field_id)
            require_editable(connection, row["slide_id"])
            answer = row["reviewed_label"] if label is None else label
            connection.execute(
                "UPDATE fields SET review = ?, reviewed_label = ? WHERE id = ?", (int(wanted), answer, field_id)
            )
            old, new = _state(row["review"], row["reviewed_label"]), _state(wanted, answer)
            if old == new:
                return None
            return record_event(connection, self._clock.wall_s(), operator, Action.REVIEW, row["slide_id"],
                                field_id=field_id, old=old, new=new)  # fmt: skip


def _state(waits: bool, label: str | None) -> str | None:
    """Return what is said of a field, for the audit trail."""
    return WAITING if waits else NONE_OF_THE_CLASSES if label == NONE_OF_THEM else label


def _field(connection: sqlite3.Connection, field_id: int) -> sqlite3.Row:
    row: sqlite3.Row | None = connection.execute(
        "SELECT slide_id, review, reviewed_label FROM fields WHERE id = ?", (field_id,)
    ).fetchone()
    if row is None:
        raise not_there("field", field_id)
    return row
