"""From a finding to the slide's record: each field once, stored before it is counted."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from device.store import Circumstances, Store
from device.store.database import DamagedStoreError
from device.store.duplicate_fields import MEMORY, FieldTracker, View, describe
from device.store.slide_summary import SlideTally
from smear.errors import StoreError
from smear.findings import Finding, Frame, RefusalCode

REVIEW_CODES = frozenset({RefusalCode.UNCERTAIN, RefusalCode.OUT_OF_DISTRIBUTION, RefusalCode.NOT_THESE_CLASSES})
"""Refusals that a person may decide by looking; the others ask for another picture instead."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of one examined field."""

    slide: str | None = None  # the open slide's name; None: no slide is open, nothing is recorded
    tally: SlideTally = field(default_factory=SlideTally)  # of the slide so far
    field_id: int | None = None  # its record; None when it was seen before or could not be stored
    seen_before: bool = False
    fault: str | None = None  # why it could not be stored; it is tried again when it is seen again


class Recorder:
    """Records slide after slide; safe to call from the inference thread and from whoever starts and ends slides."""

    def __init__(
        self,
        store: Store,
        circumstances: Callable[[], Circumstances] = Circumstances,
        make_tracker: Callable[[], FieldTracker] | None = FieldTracker,
        review_doubtful: bool = True,
        start_over: Callable[[], Store] | None = None,
    ) -> None:
        self.store = store
        self.slide_id: int | None = None
        self.slides: list[int] = []  # all that this recorder started
        self.seen_before_in: dict[int, int] = {}  # by slide: frames that showed a field counted already
        self.not_stored = 0  # since the start: a session that lost one must say so
        self.last_fault: str | None = None
        self._circumstances = circumstances
        self._make_tracker = make_tracker  # None: every frame is a field of its own
        self._review_doubtful = review_doubtful
        self._start_over = start_over  # moves a damaged store aside and opens a new one
        self._lock = threading.RLock()
        self._forget()

    def _forget(self) -> None:
        self._name: str | None = None
        self._tally = SlideTally()
        self._tracker = self._make_tracker() if self._make_tracker else None
        self._accepted: set[int] = set()  # remembered fields that carry a label already
        self._latest: int | None = None

    def start_slide(self, name: str) -> int:
        """Start a slide; an open one is ended first."""
        with self._lock:
            self.end_slide()
            self.slide_id = self.store.start_slide(name, self._circumstances().simulated)
            self._name = name
            self.slides.append(self.slide_id)
            return self.slide_id

    def end_slide(self) -> int | None:
        """End the open slide and return its number; None when none was open."""
        with self._lock:
            ended = self.slide_id
            if ended is not None:
                self.store.end_slide(ended)
                self.slide_id = None
                self._forget()
            return ended

    def keep_latest(self) -> int | None:
        """Mark the field recorded last so that retention never removes it; return its number."""
        with self._lock:
            if self._latest is not None:
                self.store.set_keep(True, field_id=self._latest)
            return self._latest

    @property
    def tracks(self) -> bool:
        """True: a field seen again is not recorded again."""
        return self._make_tracker is not None

    def record(self, frame: Frame, finding: Finding, view: View | None = None) -> Recorded:
        """Store and count the field unless the slide has it; a refused one counts again once it is accepted.

        `view` is what the tracker keeps of `frame`, for who has it already.
        """
        with self._lock:
            if self.slide_id is None:
                return Recorded()
            accepted = finding.label is not None
            view = view or (describe(frame.image) if self._tracker else None)
            known = self._tracker.find(view) if self._tracker and view else None
            if known is not None and (known in self._accepted or not accepted):
                self.seen_before_in[self.slide_id] = self.seen_before_in.get(self.slide_id, 0) + 1
                return Recorded(self._name, self._tally, seen_before=True)
            review = self._review_doubtful and any(each.code in REVIEW_CODES for each in finding.refusals)
            try:
                self._latest = self.store.add_field(self.slide_id, frame, finding, self._circumstances(), review)
            except StoreError as error:
                if isinstance(error, DamagedStoreError) and self._start_over is not None:
                    self._begin_again(self._start_over)
                    return self.record(frame, finding, view)
                self.not_stored += 1
                self.last_fault = str(error)
                return Recorded(self._name, self._tally, fault=str(error))
            self._tally = self._tally.add(finding)
            if self._tracker and view:
                key = known if known is not None else self._tracker.remember(view)
                if accepted:
                    self._accepted.add(key)
                self._accepted.discard(key - MEMORY)  # forgotten by the tracker: a slide may have no end
            return Recorded(self._name, self._tally, self._latest)

    def _begin_again(self, start_over: Callable[[], Store]) -> None:
        """Go on in a new store with a slide of the same name; the damaged one was moved aside whole."""
        name, self._start_over = self._name or "", None  # once: a disk that damages two stores is no place for a third
        self.store.close()
        self.store = start_over()
        self.slide_id = None
        self.slides, self.seen_before_in = [], {}
        self._forget()
        self.start_slide(name)
