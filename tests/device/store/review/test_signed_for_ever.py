"""No sequence of actions loses or silently changes what was signed."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from device.counting.cell_classes import DEFAULT_CLASSES
from device.store import Retention, Store
from device.store.records import SlideRecord
from device.store.review.sign_off import Concessions
from device.store.review.statement import Signature
from device.system.clock import ManualClock
from smear.errors import StoreError
from tests.device.findings import OUT_OF_FOCUS, finding, frame

NOW_S = 1_700_000_000.0
DAY_S = 86_400.0
ANYTHING = Concessions(unidentified=True, short="few", passed_over="chosen")

operators = st.sampled_from(["ann", "bob"])
classes = st.sampled_from([each.name for each in DEFAULT_CLASSES[:2]] + ["smudge cell", "unidentified", "gone"])
picks = st.integers(0, 5)  # of the slides, fields or cells that there are


class Laboratory(RuleBasedStateMachine):
    """Two people at work on a few slides, with retention at work beside them."""

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.free_bytes = 10
        self.clock = ManualClock(wall_s=NOW_S, monotonic_s=1e8)
        limits = Retention(min_free_bytes=5, max_age_days=2, free_bytes=lambda _: self.free_bytes)
        self.store = Store.record(Path(self.folder.name), limits, self.clock)
        self.signed: dict[tuple[int, int], Signature] = {}  # by slide and version
        self.trails: dict[int, list[int]] = {}  # events by slide
        self.frames = 0
        for operator in ("ann", "bob"):  # whose slides are signed at first: most sequences would never sign one
            self.record(cells=True, refused=operator == "bob")
            newest = self.slide(0).id
            self.store.classify(operator, [(c.field_id, c.number) for c in self.store.browse(newest)], "blast")
            self.signed[newest, 1] = self.store.sign(newest, operator, DEFAULT_CLASSES, 2)
        self.record(cells=True, refused=False)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()

    def slide(self, pick: int) -> SlideRecord:
        found = self.store.slides()
        return found[pick % len(found)]

    def field(self, pick: int) -> int | None:
        found = [field.id for slide in self.store.slides() for field in self.store.all_fields(slide.id)]
        return found[pick % len(found)] if found else None

    def attempt(self, slide_id: int, action) -> None:  # type: ignore[no-untyped-def]
        """Do `action`, which must be refused where the slide is signed."""
        signed = self.store.slide(slide_id).signed
        before = self.store.slide(slide_id)
        try:
            action()
        except StoreError:
            assert self.store.slide(slide_id) == before
        else:
            assert not signed

    @rule(cells=st.booleans(), refused=st.booleans())
    def record(self, cells: bool, refused: bool) -> None:
        if len(self.store.slides()) > 3:
            return
        slide = self.store.start_slide(f"slide {self.frames}")
        for number in range(2):
            self.frames += 1
            shown = finding(refusals=(OUT_OF_FOCUS,) if refused and number else (), cells=None if cells else ())
            self.store.add_field(slide, frame(self.frames, wall_time_s=self.clock.wall_s()), shown)
        self.store.end_slide(slide)

    def there_are_slides(self) -> bool:
        return bool(self.store.slides())

    @precondition(there_are_slides)
    @rule(operator=operators, pick=picks, cell_class=classes, which=st.sets(st.integers(0, 3), min_size=1))
    def classify(self, operator: str, pick: int, cell_class: str, which: set[int]) -> None:
        slide = self.slide(pick)
        cells = self.store.browse(slide.id)
        chosen = [(cells[n].field_id, cells[n].number) for n in which if n < len(cells)]
        if chosen:
            self.attempt(slide.id, lambda: self.store.classify(operator, chosen, cell_class))

    @precondition(there_are_slides)
    @rule(operator=operators, pick=picks)
    def undo(self, operator: str, pick: int) -> None:
        slide = self.slide(pick)
        self.attempt(slide.id, lambda: self.store.undo(operator, slide.id))

    @precondition(there_are_slides)
    @rule(operator=operators, pick=picks, wanted=st.booleans(), label=st.sampled_from([None, "", "Pre"]))
    def review(self, operator: str, pick: int, wanted: bool, label: str | None) -> None:
        if (field := self.field(pick)) is not None:
            slide = self.store.field(field).slide_id
            self.attempt(slide, lambda: self.store.set_review(field, wanted, label, operator=operator))

    @precondition(there_are_slides)
    @rule(operator=operators, pick=picks, text=st.sampled_from(["", "A", "=1+1"]))
    def edit(self, operator: str, pick: int, text: str) -> None:
        slide = self.slide(pick)
        self.attempt(slide.id, lambda: self.store.edit_slide(slide.id, operator, note=text, stain=text))

    @precondition(there_are_slides)
    @rule(operator=operators, into=picks, other=picks)
    def merge(self, operator: str, into: int, other: int) -> None:
        first, second = self.slide(into), self.slide(other)
        if first.id == second.id:
            return
        ever_signed = bool(self.store.signatures(second.id))
        try:
            self.store.merge_slides(first.id, second.id, operator)
        except StoreError:
            assert self.store.slide(second.id) == second
        else:
            assert not first.signed
            assert not ever_signed

    @precondition(there_are_slides)
    @rule(pick=picks, keep=st.booleans(), whole=st.booleans())
    def keep(self, pick: int, keep: bool, whole: bool) -> None:
        field = self.field(pick)
        slide = self.slide(pick).id if whole or field is None else self.store.field(field).slide_id
        values = {"slide_id": slide} if whole or field is None else {"field_id": field}
        ever_signed = bool(self.store.signatures(slide))
        try:
            self.store.set_keep(keep, **values)
        except StoreError:
            assert ever_signed
        else:
            assert keep or not ever_signed

    @precondition(there_are_slides)
    @rule(operator=operators, pick=picks, wanted=st.integers(1, 3), concede=st.booleans())
    def sign(self, operator: str, pick: int, wanted: int, concede: bool) -> None:
        slide = self.slide(pick)
        try:
            found = self.store.sign(slide.id, operator, DEFAULT_CLASSES, wanted, ANYTHING if concede else None)
        except StoreError:
            assert self.store.slide(slide.id) == slide
        else:
            assert not slide.signed
            assert (slide.id, slide.version) not in self.signed
            assert concede or found.said()["records"]["count"]["complete"]
            self.signed[slide.id, slide.version] = found

    @precondition(there_are_slides)
    @rule(operator=operators, pick=picks)
    def amend(self, operator: str, pick: int) -> None:
        slide = self.slide(pick)
        if slide.signed:
            assert self.store.amend(slide.id, operator, "recount").version == slide.version + 1
        else:
            with pytest.raises(StoreError, match="is not signed"):
                self.store.amend(slide.id, operator, "recount")

    @precondition(there_are_slides)
    @rule(pick=picks, also_signed=st.booleans())
    def delete(self, pick: int, also_signed: bool) -> None:
        slide = self.slide(pick)
        ever_signed = bool(self.store.signatures(slide.id))
        try:
            self.store.delete_slide(slide.id, signed=also_signed)
        except StoreError:
            assert self.store.slide(slide.id) == slide
        else:
            assert also_signed or not ever_signed

    @rule(days=st.integers(1, 3))
    def forget(self, days: int) -> None:
        self.clock.advance(days * DAY_S)
        self.store.forget_old()

    @rule()
    def fill_the_disk(self) -> None:
        self.free_bytes = 0
        with pytest.raises(StoreError, match="must stay free"):
            self.store.make_room()  # which removes every photograph that it may
        self.free_bytes = 10

    @invariant()
    def what_was_signed_stays(self) -> None:
        if not hasattr(self, "store"):
            return
        there = {slide.id: slide for slide in self.store.slides()}
        for slide_id, version in self.signed:
            assert self.signed[slide_id, version] in self.store.signatures(slide_id)
        for slide_id in {slide_id for slide_id, _ in self.signed} | set(there):
            found = self.store.signatures(slide_id)
            assert {(slide_id, each.version) for each in found} == {key for key in self.signed if key[0] == slide_id}
            for each in found:
                verified = self.store.verify(each)
                assert verified.faults == ()
                assert verified.compared == (slide_id in there and there[slide_id].version == each.version)
            if found and slide_id in there:
                images = [record.image for record in self.store.all_fields(slide_id)]
                assert found[0].said()["records"]["photographs"] <= sum(image is not None for image in images)
                assert all(self.store.photographs.read(image) for image in images if image)

    @invariant()
    def the_trail_is_only_added_to(self) -> None:
        if not hasattr(self, "store"):
            return
        for slide_id in {slide.id for slide in self.store.slides()} | set(self.trails):
            found = [event.id for event in self.store.events(slide_id)]
            known = self.trails.get(slide_id, [])
            assert set(known) <= set(found)
            self.trails[slide_id] = found


TestLaboratory = Laboratory.TestCase
TestLaboratory.settings = settings(max_examples=30, print_blob=True, stateful_step_count=30, deadline=None)
