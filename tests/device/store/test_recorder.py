"""From findings to the record: each field once, in its best view, and no field lost without a word."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from device.quality_control.location import location_test
from device.quality_control.measurements import QcTest
from device.quality_control.state import QcWatch
from device.reporting.tables import slide_summary
from device.settings import QcSettings
from device.store import Circumstances, Store
from device.store.database import DATABASE
from device.store.recorder import Recorder, SeenAgain
from device.system.clock import ManualClock
from smear.errors import StoreError
from smear.findings import Finding, Frame
from tests.device.findings import OUT_OF_FOCUS, TOO_DARK, UNCERTAIN, finding

FIELDS = 4


@pytest.fixture
def store(tmp_path: Path):  # type: ignore[no-untyped-def]
    with Store.record(tmp_path) as opened:
        yield opened


def place(number: int, blur: int = 1) -> Frame:
    """A place on a slide, out of focus by `blur` pixels."""
    blocks = np.random.default_rng(number).integers(0, 256, (12, 16, 3), np.uint8)
    image = np.kron(blocks, np.ones((8, 8, 1), np.uint8))
    if blur > 1:
        kernel = np.ones(blur) / blur
        for axis in (0, 1):
            image = np.apply_along_axis(lambda line: np.convolve(line, kernel, "same"), axis, image).astype(np.uint8)
    return Frame(image, "test:", sequence=number)


def blurred() -> Finding:
    return finding(None, (OUT_OF_FOCUS,))


def test_a_field_refused_and_then_sharp_counts_once_and_as_accepted(store):
    recorder = Recorder(store)
    slide = recorder.start_slide("focusing")
    for number in range(FIELDS):
        assert recorder.record(place(number, 3), blurred()).tally.refused == 1
        shown = recorder.record(place(number), finding("Pre"))
        assert shown.seen_again is None
        assert (shown.tally.accepted, shown.tally.refused) == (number + 1, 0)
    tally = store.slide(slide).tally
    assert (tally.total, tally.accepted, tally.refused, tally.seen_again) == (FIELDS, FIELDS, 0, 0)
    assert tally.refusals == {}
    records = list(store.all_fields(slide))
    assert [record.label for record in records] == ["Pre"] * FIELDS
    assert sorted(store.folder.rglob("*.jpg")) == sorted(store.image_path(record) for record in records)


@pytest.mark.parametrize("mark", ["kept", "reviewed"])
def test_a_refused_field_that_a_person_marked_stays_beside_its_better_view(store, mark):
    recorder = Recorder(store)
    slide = recorder.start_slide("marked")
    first = recorder.record(place(0, 3), blurred()).field_id
    if mark == "kept":
        store.set_keep(True, field_id=first)
    else:
        store.set_review(first, wanted=False, label="Early")
    shown = recorder.record(place(0), finding("Pre"))
    assert [record.id for record in store.all_fields(slide)] == [first, shown.field_id]
    assert shown.tally == store.slide(slide).tally
    assert (shown.tally.accepted, shown.tally.refused) == (1, 1)


def test_a_person_who_asked_to_see_a_refused_field_gets_its_better_view(store):
    recorder = Recorder(store)
    recorder.start_slide("asked for")
    store.set_review(recorder.record(place(0, 3), blurred()).field_id, wanted=True)
    better = recorder.record(place(0), finding("Pre")).field_id
    assert [record.id for record in store.to_review()] == [better]


def test_doubt_that_a_better_view_settles_leaves_nothing_to_review(store):
    recorder = Recorder(store)
    recorder.start_slide("doubt")
    recorder.record(place(0), finding(None, (UNCERTAIN,)))
    assert len(store.to_review()) == 1
    recorder.record(place(0), finding("Pre"))
    assert store.to_review() == []


def test_a_field_seen_again_is_said_to_be_counted_only_if_it_was(store):
    recorder = Recorder(store)
    slide = recorder.start_slide("again")
    recorder.record(place(0), finding("Pre"))
    recorder.record(place(1), finding(None, (TOO_DARK,)))
    assert recorder.record(place(0), finding("Pre")).seen_again is SeenAgain.COUNTED
    assert recorder.record(place(1), finding(None, (TOO_DARK,))).seen_again is SeenAgain.REFUSED
    recorder.end_slide()
    assert store.slide(slide).tally.seen_again == 2


def test_a_frame_from_before_the_slide_is_not_recorded(store):
    clock = ManualClock(monotonic_s=100.0)
    recorder = Recorder(store, clock=clock)
    recorder.start_slide("first")
    clock.advance(10.0)
    second = recorder.start_slide("second")
    assert recorder.record(place(0), finding(), exposed_s=109.99).field_id is None
    assert store.slide(second).tally.total == 0
    assert recorder.record(place(0), finding(), exposed_s=110.0).field_id is not None


def test_a_slide_that_a_killed_run_left_open_goes_on(tmp_path):
    with Store.record(tmp_path) as store:
        recorder = Recorder(store)
        slide = recorder.start_slide("before the power went")
        recorder.record(place(0), finding("Pre"))
        recorder.record(place(1, 3), blurred())
    with Store.record(tmp_path) as store:
        recorder = Recorder(store)
        recorder.resume_slide(store.open_slide())
        assert recorder.record(place(0), finding("Pre")).seen_again is SeenAgain.COUNTED
        shown = recorder.record(place(1), finding("Pro"))
        assert (shown.slide, shown.tally.labels, shown.tally.refused) == (
            "before the power went",
            {"Pre": 1, "Pro": 1},
            0,
        )
        recorder.leave_open()
        assert store.open_slide().id == slide
        assert store.open_slide().tally.seen_again == 1


class _Odd(Exception):
    """What no one has thought of."""


@pytest.mark.parametrize("error", [
    StoreError("the disk is gone"), OSError(30, "Read-only file system"), _Odd("odd"),
    UnicodeEncodeError("utf-8", "x", 0, 1, "surrogates"), sqlite3.InterfaceError("no"),
])  # fmt: skip
def test_whatever_keeps_a_field_from_being_stored_is_counted_and_the_next_is_stored(store, monkeypatch, error):
    recorder = Recorder(store)
    slide = recorder.start_slide("faults")

    def fail(*_: object, **__: object) -> int:
        raise error

    add_field = store.add_field
    monkeypatch.setattr(store, "add_field", fail)
    shown = recorder.record(place(0), finding())
    assert str(error) in shown.fault
    assert recorder.not_stored == 1
    monkeypatch.setattr(store, "add_field", add_field)
    assert recorder.record(place(0), finding()).field_id is not None
    assert store.slide(slide).tally.total == 1


def test_a_source_that_is_no_text_is_recorded_as_escapes(store):
    recorder = Recorder(store)
    recorder.start_slide("odd names")
    frame = Frame(place(0).image, "/p/b_\udcfc\x1b[2J.jpg")
    number = recorder.record(frame, finding()).field_id
    assert recorder.not_stored == 0
    assert store.field(number).source == r"/p/b_\xfc\x1b[2J.jpg"


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, "two\nlines", "\x1b[2J", "\udcff", "a\0b", "\u202eevil"])
def test_a_slide_name_that_is_no_line_is_refused_at_every_door(store, name):
    with pytest.raises(StoreError, match="1 to 80 printable characters"):
        Recorder(store).start_slide(name)
    assert store.slides() == []


def test_an_old_slide_name_with_escape_sequences_is_shown_without_them(tmp_path):
    with Store.record(tmp_path) as store:
        slide = store.start_slide("x")
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as database:
        database.execute("UPDATE slides SET name = ?", ("\x1b]0;title\x07",))
    with Store.read(tmp_path) as store:
        assert store.slide(slide).name == r"\x1b]0;title\x07"


def test_circumstances_that_cannot_be_read_lose_one_field_and_not_the_session(store):
    def unreadable() -> Circumstances:
        raise OSError(5, "Input/output error")

    recorder = Recorder(store, Circumstances)
    recorder.start_slide("sensors")
    recorder._circumstances = unreadable
    assert "Input/output error" in recorder.record(place(0), finding()).fault
    assert recorder.not_stored == 1


def test_every_record_says_whether_the_quality_control_was_done_when_the_field_was_exposed(store):
    asked = QcSettings(required=True, tests=(QcTest.LOCATION,))
    recorder = Recorder(store, quality_control=QcWatch(asked))
    slide = recorder.start_slide("today")
    recorder.record(place(1, 3), blurred())
    recorder.record(place(1), finding("Pre"))  # takes the place of the one above, and its count
    assert recorder.record(place(2), finding("Pre")).tally.not_cleared == 2
    exposed_s = time.monotonic()
    store.add_qc("anna", [location_test(200, 0, 0.95)])
    assert not recorder.record(place(3), finding("Pre"), exposed_s=exposed_s).qc.cleared
    assert recorder.record(place(4), finding("Pre"), exposed_s=time.monotonic()).qc.cleared
    assert [record.qc for record in store.all_fields(slide)] == ["not cleared"] * 3 + ["cleared"]
    found = store.slide(slide)
    assert found.tally.not_cleared == 3
    assert found.to_json()["fields_qc_not_cleared"] == 3
    console = Console(width=120)
    with console.capture() as printed:
        console.print(slide_summary(found, {}))
    assert "3 of 4 fields: quality control not cleared" in printed.get()


def test_a_record_says_nothing_of_a_quality_control_that_nobody_asked_for(store):
    recorder = Recorder(store, quality_control=QcWatch(QcSettings()))
    slide = recorder.start_slide("today")
    recorder.record(place(1), finding("Pre"))
    assert [record.qc for record in store.all_fields(slide)] == [None]
    assert store.slide(slide).tally.not_cleared == 0
