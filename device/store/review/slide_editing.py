"""Changing what is said of a slide, and merging two slides into one."""

import sqlite3

from device.store.database import Database
from device.store.duplicate_fields import MEMORY, FieldTracker, View, describe_photograph
from device.store.names import DETAILS, checked_name, checked_operator
from device.store.photographs import Photographs
from device.store.queries import Queries
from device.store.records import FieldRecord, SlideRecord
from device.store.removal import Removal
from device.store.review.audit_trail import Action, Event, record_event
from device.store.review.sign_off import require_editable, require_never_signed
from device.store.rows import counts_of
from device.store.slide_summary import SlideTally
from device.store.slide_writer import add_counts, remove_view
from device.system.clock import Clock
from smear.errors import StoreError


class SlideEditing:
    """Edits the slides of one open database."""

    def __init__(
        self, database: Database, queries: Queries, photographs: Photographs, removal: Removal, clock: Clock
    ) -> None:
        self._database = database
        self._queries = queries
        self._photographs = photographs
        self._removal = removal
        self._clock = clock

    def edit_slide(
        self,
        slide_id: int,
        operator: str,
        *,
        name: str | None = None,
        stain: str | None = None,
        specimen: str | None = None,
        note: str | None = None,
        slide_operator: str | None = None,
    ) -> list[Event]:
        """Change what is said of a slide; None leaves a value as it is, "" empties one other than the name.

        Returns what changed, an event each.

        Raises:
            StoreError: there is no such slide, it is signed, or a text cannot be shown in a line.
        """
        operator = checked_operator(operator)
        asked = {"stain": stain, "specimen": specimen, "note": note, "operator": slide_operator}
        wanted = {column: DETAILS[column](text) for column, text in asked.items() if text is not None}
        if name is not None:
            wanted["name"] = checked_name(name)
        events: list[Event] = []
        with self._database.transaction() as connection:
            require_editable(connection, slide_id)
            before = connection.execute("SELECT * FROM slides WHERE id = ?", (slide_id,)).fetchone()
            for column, new in wanted.items():
                if before[column] == new:
                    continue
                connection.execute(f"UPDATE slides SET {column} = ? WHERE id = ?", (new, slide_id))
                action = Action.RENAME if column == "name" else Action(column)
                events.append(
                    record_event(connection, self._clock.wall_s(), operator, action, slide_id,
                                 old=before[column] or None, new=new or None)
                )  # fmt: skip
        return events

    def merge_slides(self, into: int, other: int, operator: str) -> Event:
        """Move every field of the slide `other` to the slide `into`, add its counts up there, and remove it.

        A field that both have is counted once, as while recording: the view with a label stays, or the first one. Its
        other view is removed, unless a person kept or reviewed it or classified a cell of it. What is said of `into`
        stays as it is; photographs stay where they are.

        Raises:
            StoreError: they are one slide, one of them is open, `into` is signed or `other` was, or only one is drawn.
        """
        operator = checked_operator(operator)
        first, second = self._queries.slide(into), self._queries.slide(other)
        _require_mergeable(first, second)
        again = self._seen_again(into, other)
        with self._database.transaction() as connection:
            require_editable(connection, into)
            require_never_signed(connection, other, "they cannot move to another slide")
            removed = {slide: sum(remove_view(connection, field_id, slide) is not None for field_id in fields)
                       for slide, fields in again.items()}  # fmt: skip
            moved = _move(connection, into, other)
            add_counts(connection, into, counts_of(SlideTally(seen_again=removed[other])))
            said = f"fields moved: {moved}; second views of a field removed: {sum(removed.values())}"
            now_s = self._clock.wall_s()
            record_event(connection, now_s, operator, Action.MERGED, other, new=str(into), reason=said)
            event = record_event(connection, now_s, operator, Action.MERGE, into, new=str(other), reason=said)
        self._removal.remove_photographs()
        return event

    def _seen_again(self, into: int, other: int) -> dict[int, list[int]]:
        """Return by slide which fields the other slide shows better, or has as well; of `into` the last MEMORY."""
        tracker, known = FieldTracker(), dict[int, FieldRecord]()
        for record in reversed(self._queries.latest_fields(into, MEMORY)):
            if view := self._view(record):
                known[tracker.remember(view)] = record
        again: dict[int, list[int]] = {into: [], other: []}
        for record in self._queries.all_fields(other):
            view = self._view(record)
            key = tracker.find(view) if view else None
            if key is None:
                continue
            if known[key].label is None and record.label is not None:
                again[into].append(known[key].id)
            else:
                again[other].append(record.id)
        return again

    def _view(self, record: FieldRecord) -> View | None:
        photograph = self._photographs.read(record.image)
        return describe_photograph(photograph, (record.height, record.width)) if photograph else None


def _require_mergeable(into: SlideRecord, other: SlideRecord) -> None:
    if into.id == other.id:
        raise StoreError(f"slide {into.id} cannot be merged with itself; give two slides")
    for slide in (into, other):
        if slide.ended_s is None:
            raise StoreError(f"slide {slide.id} is open; end it first with 'smearscope slide end'")
    if into.simulated != other.simulated:
        raise StoreError(f"slides {into.id} and {other.id}: fields drawn by the simulator and a microscope's never mix")


def _move(connection: sqlite3.Connection, into: int, other: int) -> int:
    """Move what is left of `other`; return how many fields."""
    connection.execute(
        "UPDATE cells SET slide_id = ? WHERE field_id IN (SELECT id FROM fields WHERE slide_id = ?)", (into, other)
    )
    connection.execute("UPDATE classifications SET slide_id = ? WHERE slide_id = ?", (into, other))
    moved = connection.execute(
        "UPDATE fields SET slide_id = ?1, keep = max(keep, (SELECT keep FROM slides WHERE id = ?1))"
        " WHERE slide_id = ?2",
        (into, other),
    ).rowcount
    counts = connection.execute("SELECT kind, name, n FROM slide_counts WHERE slide_id = ?", (other,)).fetchall()
    add_counts(connection, into, [(row["kind"], row["name"], row["n"]) for row in counts])
    connection.execute(
        "UPDATE slides SET started_s = min(slides.started_s, o.started_s), ended_s = max(slides.ended_s, o.ended_s)"
        " FROM slides AS o WHERE slides.id = ? AND o.id = ?",
        (into, other),
    )
    connection.execute("DELETE FROM slides WHERE id = ?", (other,))
    return moved
