"""From a finding to the slide's record: each field once, in its best view, stored before it is counted."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from device.quality_control.state import NOT_ASKED, QcState, QcWatch
from device.store import Circumstances, Store
from device.store.database import DamagedStoreError
from device.store.duplicate_fields import MEMORY, FieldTracker, View, describe, describe_photograph
from device.store.records import REVIEW_CODES, SlideDetails, SlideRecord
from device.store.slide_summary import SlideTally
from device.system.clock import Clock, SystemClock
from smear.errors import SmearscopeError, StoreError
from smear.findings import Finding, Frame


class SeenAgain(StrEnum):
    """What the slide has of a field that a frame shows again."""

    COUNTED = "counted"  # it carries a label, and counts
    REFUSED = "refused"  # it carries none; a view of it that does takes its place


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of one examined field."""

    slide: str | None = None  # the open slide's name; None: no slide is open, nothing is recorded
    tally: SlideTally = field(default_factory=SlideTally)  # of the slide so far
    field_id: int | None = None  # its record; None when the slide has the field, or it could not be stored
    seen_again: SeenAgain | None = None
    earlier_id: int | None = None  # the record that the slide has of a field that is seen again
    fault: str | None = None  # why it could not be stored; it is tried again when it is seen again
    qc: QcState = NOT_ASKED  # when the field was exposed


@dataclass(slots=True)
class _Known:
    """A remembered field of the slide."""

    field_id: int
    accepted: bool


class Recorder:
    """Records slide after slide; safe to call from the inference thread and from whoever starts and ends slides."""

    def __init__(
        self,
        store: Store,
        circumstances: Callable[[], Circumstances] = Circumstances,
        make_tracker: Callable[[], FieldTracker] | None = FieldTracker,
        review_doubtful: bool = True,
        start_over: Callable[[], Store] | None = None,
        clock: Clock | None = None,
        quality_control: QcWatch | None = None,
    ) -> None:
        self.store = store
        self.slide_id: int | None = None
        self.slides: list[int] = []  # all that this recorder started or went on with
        self.not_stored = 0  # fields, since the start: a session that lost one must say so
        self.last_fault: str | None = None
        self._circumstances = circumstances
        self._make_tracker = make_tracker  # None: every frame is a field of its own
        self._review_doubtful = review_doubtful
        self._start_over = start_over  # moves a damaged store aside and opens a new one
        self._quality_control = quality_control
        self._clock = clock or SystemClock()
        self._lock = threading.RLock()
        self._forget()

    def _forget(self) -> None:
        self._name: str | None = None
        self._tally = SlideTally()
        self._seen_again_unsaved = 0  # written with the next field, since each write wears the card
        self._began_s = 0.0  # on the clock of the boot
        self._tracker = self._make_tracker() if self._make_tracker else None
        self._known: dict[int, _Known] = {}  # by the tracker's key

    def start_slide(self, name: str, details: SlideDetails | None = None) -> int:
        """Start a slide; an open one is ended first. Frames that were taken before do not belong to it.

        Raises:
            StoreError: the name, or a text of `details`, cannot be shown in a line, or the disk failed.
        """
        with self._lock:
            self.end_slide()
            self.slide_id = self.store.start_slide(name, self._circumstances().simulated, details)
            self._name = self.store.slide(self.slide_id).name
            self._began_s = self._clock.monotonic_s()
            self.slides.append(self.slide_id)
            return self.slide_id

    def resume_slide(self, slide: SlideRecord) -> None:
        """Go on with a slide that a killed run left open: with its tally, and its last fields recognised again."""
        with self._lock:
            self._forget()
            self.slide_id, self._name, self._tally = slide.id, slide.name, slide.tally
            self._began_s = self._clock.monotonic_s()
            self.slides.append(slide.id)
            for record in self.store.latest_fields(slide.id, MEMORY)[::-1] if self._tracker else []:
                photograph = self.store.photographs.read(record.image)
                view = describe_photograph(photograph, (record.height, record.width)) if photograph else None
                if self._tracker and view:
                    self._known[self._tracker.remember(view)] = _Known(record.id, record.label is not None)

    def end_slide(self) -> int | None:
        """End the open slide and return its number; None when none was open.

        Raises:
            StoreError: the disk failed; the slide is no longer recorded, and stays open in the store.
        """
        with self._lock:
            ended, seen_again = self.slide_id, self._seen_again_unsaved
            if ended is not None:
                self.slide_id = None
                self._forget()
                self.store.end_slide(ended, seen_again)
            return ended

    def reopen_slide(self, slide_id: int) -> None:
        """End the open slide, and go on with one that was ended.

        Raises:
            StoreError: it was signed or deleted, or the disk failed.
        """
        with self._lock:
            self.end_slide()
            self.store.reopen_slide(slide_id)
            self.resume_slide(self.store.slide(slide_id))

    def leave_open(self) -> None:
        """Stop recording, with the slide open in the store so that the next run goes on with it.

        Raises:
            StoreError: the disk failed.
        """
        with self._lock:
            left, seen_again = self.slide_id, self._seen_again_unsaved
            if left is not None:
                self.slide_id = None
                self._forget()
                self.store.count_seen_again(left, seen_again)

    def record(
        self, frame: Frame, finding: Finding, view: View | None = None, exposed_s: float | None = None
    ) -> Recorded:
        """Store and count the field unless the slide has it; one that was refused is replaced by a view with a label.

        `view` is what the tracker keeps of `frame`, for who has it already. `exposed_s` is when the frame was taken, on
        the clock of the boot: one from before the slide was started is not recorded. None: it is no camera's.
        """
        with self._lock:
            qc = self.qc_state(exposed_s)
            return replace(self._recorded(frame, finding, view, exposed_s, qc), qc=qc)

    def qc_state(self, exposed_s: float | None = None) -> QcState:
        """Return whether the device is cleared for use now, or was at `exposed_s` on the clock of the boot."""
        if self._quality_control is None:
            return NOT_ASKED
        try:
            return self._quality_control.state(self.store, exposed_s)
        except StoreError as error:
            return QcState(False, (str(error),))

    def _recorded(
        self, frame: Frame, finding: Finding, view: View | None, exposed_s: float | None, qc: QcState
    ) -> Recorded:
        if self.slide_id is None:
            return Recorded()
        if exposed_s is not None and exposed_s < self._began_s:
            return Recorded(self._name, self._tally)
        try:
            return self._record(self.slide_id, frame, finding, view, qc)
        except DamagedStoreError as error:
            if self._start_over is None:
                return self._lost(str(error))
            self._begin_again(self._start_over)
            return self._recorded(frame, finding, view, None, qc)
        except SmearscopeError as error:
            return self._lost(str(error))
        except Exception as error:  # noqa: BLE001 - the field's boundary: it is counted as lost, the others go on
            return self._lost(f"{type(error).__name__}: {error}; please report this")

    def _record(self, slide_id: int, frame: Frame, finding: Finding, view: View | None, qc: QcState) -> Recorded:
        accepted = finding.label is not None
        view = view or (describe(frame.image) if self._tracker else None)
        key = self._tracker.find(view) if self._tracker and view else None
        known = self._known.get(key) if key is not None else None
        if known is not None and (known.accepted or not accepted):
            self._seen_again_unsaved += 1
            self._tally = replace(self._tally, seen_again=self._tally.seen_again + 1)
            again = SeenAgain.COUNTED if known.accepted else SeenAgain.REFUSED
            return Recorded(self._name, self._tally, seen_again=again, earlier_id=known.field_id)
        field_id = self.store.add_field(
            slide_id,
            frame,
            finding,
            replace(self._circumstances(), qc=qc.mark),
            review=self._review_doubtful and any(each.code in REVIEW_CODES for each in finding.refusals),
            instead_of=known.field_id if known else None,
            seen_again=self._seen_again_unsaved,
        )
        self._seen_again_unsaved = 0
        # A worse view took its counts along, unless it was kept: the store knows.
        self._tally = self.store.slide(slide_id).tally if known else self._tally.add(finding, not qc.cleared)
        if self._tracker and view:
            key = self._tracker.remember(view) if key is None else self._tracker.replace(key, view)
            self._known[key] = _Known(field_id, accepted)
            self._known.pop(key - MEMORY, None)  # forgotten by the tracker: a slide may have no end
        return Recorded(self._name, self._tally, field_id)

    def _lost(self, fault: str) -> Recorded:
        self.not_stored += 1
        self.last_fault = fault
        return Recorded(self._name, self._tally, fault=fault)

    def _begin_again(self, start_over: Callable[[], Store]) -> None:
        """Go on in a new store with a slide of the same name; the damaged one was moved aside whole."""
        name, self._start_over = self._name or "", None  # once: a disk that damages two stores is no place for a third
        self.store.close()
        self.store = start_over()
        self.slide_id = None
        self.slides = []
        self._forget()
        self.start_slide(name)
