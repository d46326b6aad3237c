"""Signing: what is refused, what the signed text holds, and that nothing changes it afterwards."""

import json
import sqlite3

import pytest

from device.counting.cell_classes import DEFAULT_CLASSES
from device.counting.differential import SlideState
from device.store import Circumstances, Retention, Store
from device.store.database import DATABASE
from device.store.review.sign_off import Concessions
from device.store.review.statement import canonical, sha256_of
from device.system.clock import ManualClock
from smear import RESEARCH_USE_ONLY
from smear.errors import StoreError
from tests.device.findings import OUT_OF_FOCUS, finding, frame

NOW_S = 1_700_000_000.0
CELLS = [(1, 0), (1, 1), (3, 0), (3, 1)]


@pytest.fixture
def store(tmp_path):  # type: ignore[no-untyped-def]
    """Slide 1, which is ended, with accepted fields 1 and 3 of two cells each, and a refused field, 2."""
    with Store.record(tmp_path, clock=ManualClock(wall_s=NOW_S)) as opened:
        slide = opened.start_slide("A-17")
        opened.add_field(slide, frame(1), finding(), Circumstances(calibration_id="cal-1"))
        opened.add_field(slide, frame(2), finding(None, (OUT_OF_FOCUS,)))
        opened.add_field(slide, frame(3), finding("Pro"))
        opened.end_slide(slide)
        yield opened


def sign(store, operator="ann", target=4, concessions=None, **others):  # type: ignore[no-untyped-def]
    return store.sign(1, operator, DEFAULT_CLASSES, target, concessions, **others)


def counted(store):  # type: ignore[no-untyped-def]
    store.classify("ann", CELLS[:3], "blast")
    store.classify("ann", CELLS[3:], "monocyte")
    return store


def test_the_signed_text_holds_all_that_the_count_rests_on(store):
    signature = sign(counted(store), settings={"gate": {"min_focus": 0.5}})
    said = signature.said()
    assert signature.statement == canonical(said)
    assert signature.sha256 == sha256_of(signature.statement)
    assert (said["notice"], said["signed_by"], said["signed_s"]) == (RESEARCH_USE_ONLY, "ann", NOW_S)
    records = said["records"]
    assert records["slide"]["fields_accepted"] == 2
    assert records["slide"]["bundles"] == ["ab" * 32]
    assert records["calibration_id"] == {"cal-1": 1, "none": 2}
    assert records["site_certificate"] == {"none": 3}
    assert records["not_checked"] == "not checked at this site"
    blast = next(each for each in records["count"]["classes"] if each["name"] == "blast")
    assert (blast["n"], blast["share"]["total"], round(blast["share"]["low"], 3)) == (3, 4, 0.301)
    assert said["settings"] == {"gate": {"min_focus": 0.5}}


def test_the_keys_of_a_statement_are_those_of_its_format(store):
    """Where they change, the format does: else a statement of an earlier release would seem to differ."""
    said = sign(counted(store)).said()
    assert sorted(said) == [
        "classes", "concessions", "format", "notice", "quality_control", "records", "settings", "signed_by",
        "signed_s", "smearscope", "store", "target",
    ]  # fmt: skip
    assert sorted(said["records"]) == [
        "calibration_id", "cells_sha256", "count", "fields_sha256", "level", "not_checked", "photographs", "qc",
        "reviewed", "runtime", "site_certificate", "slide",
    ]  # fmt: skip
    assert sorted(said["records"]["count"]["classes"][0]) == ["n", "name", "per_100", "role", "share"]
    assert said["format"] == 1


def test_a_slide_is_open_then_counted_then_signed_and_open_again_when_it_is_amended(store):
    def state() -> SlideState:
        return store.counted(store.slide(1), DEFAULT_CLASSES, 4).state

    assert state() is SlideState.OPEN
    counted(store)
    assert state() is SlideState.COUNTED
    sign(store)
    assert state() is SlideState.SIGNED
    assert store.amend(1, "bob", "a smudge was called a blast").version == 2
    store.classify("bob", CELLS[:1], "smudge cell")
    assert state() is SlideState.COUNTED  # by ann, as before
    assert [(each.action, each.operator, each.new, each.reason) for each in store.events(1)[4:6]] == [
        ("sign", "ann", "1", ""),
        ("amend", "bob", "2", "a smudge was called a blast"),
    ]


@pytest.mark.parametrize(
    ("prepare", "arguments", "text"),
    [
        (lambda store: None, {}, "ann has classified no cell of slide 1 (nobody has)"),
        (lambda store: store.classify("bob", CELLS, "blast"), {}, "no cell of slide 1 (bob has)"),
        (counted, {"target": 5}, "4 of 5 leukocytes are counted (or --short REASON)"),
        (
            lambda store: store.classify("ann", CELLS, "unidentified"),
            {},
            "cells unidentified: 1.0, 1.1, 3.0, 3.1 (or --allow",
        ),
        (lambda store: store.classify("ann", CELLS[2:], "blast"), {"target": 2}, "cells passed over: 2"),
        (counted, {"qc_faults": ["location test of today is missing"]}, "not cleared (location test of today"),
        (lambda store: sign(counted(store)), {}, "slide 1 is signed and cannot change"),
        (lambda store: counted(store) and store.start_slide("B"), {"slide": 2}, "slide 2 is still recorded"),
        (counted, {"slide": 9}, "no slide 9"),
        (counted, {"concessions": Concessions(short="x\x1b")}, "the reason of a short count"),
        (counted, {"operator": "x\ry"}, "an operator's name has 1 to 40"),
    ],
)
def test_a_count_is_not_signed_that_lacks_something(store, prepare, arguments, text):
    prepare(store)
    before = store.signatures(1)
    values = {"slide": 1, "operator": "ann", "classes": DEFAULT_CLASSES, "target": 4, **arguments}
    slide = values.pop("slide")
    with pytest.raises(StoreError) as refused:
        store.sign(slide, **values)
    assert text in str(refused.value)
    assert store.signatures(1) == before


def test_what_the_operator_concedes_is_signed_with_its_reason(store):
    store.classify("ann", CELLS[2:], "unidentified")
    conceded = Concessions(unidentified=True, short="few cells on the slide", passed_over="cut by the edge")
    said = sign(store, concessions=conceded, target=200, qc_faults=()).said()
    assert said["concessions"] == {
        "unidentified": ["3.0", "3.1"],
        "short": "few cells on the slide",
        "passed_over": "cut by the edge",
    }
    assert said["quality_control"] == "cleared"
    assert said["records"]["count"]["shortfalls"] == [
        "2 of 200 leukocytes",
        "2 unidentified",
        "2 passed over, which may bias the count",
    ]


def test_nothing_is_conceded_that_the_count_does_not_lack(store):
    said = sign(counted(store), concessions=Concessions(unidentified=True, short="x", passed_over="y")).said()
    assert said["concessions"] == {"unidentified": [], "short": "", "passed_over": ""}


@pytest.mark.parametrize(
    "change",
    [
        lambda store: store.classify("bob", CELLS[:1], "basophil"),
        lambda store: store.undo("ann", 1),
        lambda store: store.set_review(1, wanted=True),
        lambda store: store.set_review(1, wanted=False, label="Pro"),
        lambda store: store.set_keep(False, slide_id=1),
        lambda store: store.set_keep(False, field_id=1),
        lambda store: store.add_field(1, frame(9), finding()),
        lambda store: store.end_slide(1),
        lambda store: store.count_seen_again(1, 1),
        lambda store: store.delete_slide(1),
        lambda store: store.sign(1, "ann", DEFAULT_CLASSES, 4),
    ],
)
def test_nothing_of_a_signed_slide_changes(store, change):
    signature = sign(counted(store))
    with pytest.raises(StoreError, match=r"slide 1 (is|was) signed"):
        change(store)
    assert store.signatures(1) == [signature]
    assert store.verify(signature).compared
    assert store.verify(signature).faults == ()


def test_a_signed_slide_is_kept_from_retention(tmp_path):
    free = [0]
    clock = ManualClock(wall_s=NOW_S, monotonic_s=1e7)
    limits = Retention(min_free_bytes=0, max_age_days=1, free_bytes=lambda _: free[0])
    with Store.record(tmp_path, limits, clock) as store:
        slide = store.start_slide("A")
        store.add_field(slide, frame(1, wall_time_s=NOW_S), finding())
        store.classify("ann", [(1, 0), (1, 1)], "blast")
        store.end_slide(slide)
        signature = store.sign(slide, "ann", DEFAULT_CLASSES, 2)
        clock.advance(400 * 86_400.0)
        assert store.forget_old() == 0
        assert store.verify(signature).faults == ()


def test_an_amendment_begins_a_version_and_leaves_what_was_signed(store):
    first = sign(counted(store))
    with pytest.raises(StoreError, match="the reason of an amendment"):
        store.amend(1, "bob", " ")
    store.amend(1, "bob", "recount")
    with pytest.raises(StoreError, match="slide 1 is not signed"):
        store.amend(1, "bob", "twice")
    store.classify("ann", CELLS[:1], "lymphocyte")
    second = sign(store)
    assert store.signatures(1) == [first, second]
    assert (store.verify(first).compared, store.verify(second).compared) == (False, True)


def test_a_deleted_slide_leaves_its_signature_and_its_trail(store):
    signature, trail = sign(counted(store)), store.events(1)
    store.delete_slide(1, signed=True)
    assert store.signatures(1) == [signature]
    assert store.events(1)[: len(trail)] == trail
    assert (store.verify(signature).compared, store.verify(signature).faults) == (False, ())
    assert store.start_slide("another") == 2  # a number is never used twice, nor is a slide signed that nobody signed


def test_signed_leaves_the_mark_to_keep_of_a_slide_that_nobody_signed(store):
    store.set_keep(True, slide_id=1)
    with pytest.raises(StoreError, match="marked to keep"):
        store.delete_slide(1, signed=True)


@pytest.mark.parametrize(
    ("harm", "fault"),
    [
        ("UPDATE classifications SET cell_class = 'basophil' WHERE number = 0", "count"),
        ("UPDATE fields SET label = 'Benign' WHERE id = 1", "fields_sha256"),
        ("UPDATE slides SET name = 'B-18'", "slide name"),
        ("UPDATE fields SET image = NULL WHERE id = 1", "photographs"),
        ("DELETE FROM fields WHERE id = 3", "cells_sha256"),
        ("DROP TRIGGER signatures_never_change; UPDATE signatures SET statement = '{}'", "does not match its sha256"),
    ],
)
def test_a_change_behind_the_back_of_the_store_is_found(store, tmp_path, harm, fault):
    sign(counted(store))
    with sqlite3.connect(tmp_path / DATABASE) as other:
        other.execute("PRAGMA foreign_keys = ON")
        other.executescript(harm)
    assert any(fault in text for text in store.verify(store.signatures(1)[0]).faults)


def test_a_signed_count_does_not_follow_the_settings(store):
    sign(counted(store))
    renamed = DEFAULT_CLASSES[1:]  # no blasts any more, they would be unidentified
    found = store.counted(store.slide(1), renamed, 200)
    assert found.counts["ann"].to_json() == store.signatures(1)[0].said()["records"]["count"]
    json.dumps(found.to_json(), allow_nan=False)
