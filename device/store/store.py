"""The store: photographs and what was concluded from them. What it acknowledged, a power cut does not take."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from device.store.database import (
    DATABASE,
    DamagedStoreError,
    Database,
    WriterLock,
    check,
    move_aside,
    open_database,
    open_for_reading,
)
from device.store.marks import Marks
from device.store.photographs import Photographs
from device.store.queries import Queries
from device.store.records import FieldRecord
from device.store.removal import Removal
from device.store.retention import Retention
from device.store.review.audit_trail import AuditTrail
from device.store.review.classification import Classification
from device.store.review.counts import Counts
from device.store.review.gallery import Gallery
from device.store.review.qc_log import QcLog
from device.store.review.sign_off import SignOff
from device.store.review.slide_editing import SlideEditing
from device.store.slide_writer import SlideWriter
from device.system.clock import Clock, SystemClock, moment
from smear.errors import StoreError
from smear.output_files import printable

BUSY_TIMEOUT_S = 5.0


class Store:
    """One data folder, open for recording (`record`) or for reading and marking (`read`).

    It holds its parts and gives their functions one name each: `Queries`, `SlideWriter`, `Marks`, `Removal`,
    `Gallery`, `Classification`, `AuditTrail`, `Counts`, `SignOff`.
    """

    def __init__(
        self,
        database: Database,
        *,
        lock: WriterLock | None = None,
        retention: Retention | None = None,
        clock: Clock | None = None,
        notices: Sequence[str] = (),
    ) -> None:
        clock, self.folder, self._database, self._lock = clock or SystemClock(), database.folder, database, lock
        self.notices = tuple(notices)  # what happened at opening that a person should know
        self.photographs = Photographs(database.folder)
        queries = Queries(database)
        marks = Marks(database, clock)
        removal = Removal(database, queries, self.photographs, retention or Retention(), clock)
        writer = SlideWriter(database, self.photographs, removal, clock)

        self.store_id, self.slides, self.slide = queries.store_id, queries.slides, queries.slide
        self.slide_called, self.open_slide, self.find_slides = (
            queries.slide_called, queries.open_slide, queries.find_slides
        )  # fmt: skip
        self.field, self.fields, self.latest_fields = queries.field, queries.fields, queries.latest_fields
        self.all_fields, self.cells = queries.all_fields, queries.cells
        self.to_review, self.reviewed = queries.to_review, queries.reviewed
        self.reviewed_counts = queries.reviewed_counts
        self.set_keep, self.set_review = marks.set_keep, marks.set_review
        self.start_slide, self.end_slide, self.add_field = writer.start_slide, writer.end_slide, writer.add_field
        self.count_seen_again, self.reopen_slide = writer.count_seen_again, writer.reopen_slide
        self.delete_slide, self.forget_old, self.make_room = removal.delete_slide, removal.forget_old, removal.make_room
        gallery, classification, trail = Gallery(database), Classification(database, clock), AuditTrail(database, clock)
        self.browse, self.cell, self.said_of_cell = gallery.browse, gallery.cell, gallery.said_of_cell
        self.class_totals, self.classified_by_field = gallery.class_totals, gallery.classified_by_field
        self.classify, self.undo = classification.classify, classification.undo
        self.events, self.events_of_cell = trail.events, trail.events_of_cell
        self.note_of_device, self.newest_of_device = trail.note_of_device, trail.newest_of_device
        counts = Counts(database)
        self.operators, self.class_counts = counts.operators, counts.class_counts
        self.both_classified = counts.both_classified
        signing = SignOff(database, queries, counts, clock)
        self.sign, self.amend, self.signatures = signing.sign, signing.amend, signing.signatures
        self.counted, self.verify = signing.counted, signing.verify
        log = QcLog(database, lambda: moment(clock))
        self.begin_qc, self.add_qc, self.qc = log.begin_qc, log.add_qc, log.qc
        self.qc_runs, self.qc_version = log.qc_runs, log.qc_version
        editing = SlideEditing(database, queries, self.photographs, removal, clock)
        self.edit_slide, self.merge_slides = editing.edit_slide, editing.merge_slides
        self.snapshot, self.copy_database = database.snapshot, database.copy_to
        if lock is not None:
            self.photographs.keep_others_out()
            removal.finish_killed_run()

    @classmethod
    def record(
        cls,
        folder: Path,
        retention: Retention | None = None,
        clock: Clock | None = None,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
    ) -> Self:
        """Open `folder` for recording; a damaged database is moved aside and a new one started.

        Raises:
            StoreError: not writable, or another process records into it.
        """
        clock = clock or SystemClock()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        except OSError as error:
            raise StoreError(f"store {printable(folder)}: {error.strerror}; give another folder with --data") from error
        lock, notices = WriterLock(folder), list[str]()
        try:
            try:
                database = _open_checked(folder, busy_timeout_s, thorough=lock.left_unclean)
            except DamagedStoreError as error:
                aside = move_aside(folder, clock.wall_s())
                database = open_database(folder, busy_timeout_s)
                cause = error.__cause__ or error
                notices.append(f"the store was damaged ({cause}); it was moved to {aside} and a new one was started")
            return cls(database, lock=lock, retention=retention, clock=clock, notices=notices)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def read(cls, folder: Path, busy_timeout_s: float = BUSY_TIMEOUT_S, writable: bool = True) -> Self:
        """Open `folder` to read it and, where `writable` and this user may, to mark records; also while one records.

        Raises:
            StoreError: nothing was recorded there yet, or it may not be read.
        """
        if not (folder / DATABASE).is_file():
            where = printable(folder)
            raise StoreError(f"no store in {where}; 'smearscope run' makes one, or give its folder with --data")
        return cls(open_for_reading(folder, busy_timeout_s, writable))

    def image_path(self, record: FieldRecord) -> Path | None:
        """Return where a field's photograph is; None once it was removed."""
        return self.photographs.path(record.image)

    def close(self) -> None:
        """Close the database and let another process record; safe to call twice."""
        self._database.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _open_checked(folder: Path, busy_timeout_s: float, thorough: bool) -> Database:
    database = open_database(folder, busy_timeout_s)
    if thorough:  # the last writer was killed or lost its power
        try:
            check(database)
        except BaseException:
            database.close()
            raise
    return database
