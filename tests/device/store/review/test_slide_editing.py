"""Editing and merging slides: nothing that a person did is lost, and every change is in the audit trail."""

from dataclasses import replace

import pytest

from device.store import Circumstances, Store
from device.store.photographs import PHOTOGRAPHS
from device.store.records import QC_NOT_CLEARED, SlideDetails
from smear.errors import StoreError
from smear.site import SiteStatus
from tests.device.findings import OUT_OF_FOCUS, finding, frame


@pytest.fixture
def store(tmp_path):  # type: ignore[no-untyped-def]
    with Store.record(tmp_path) as opened:
        yield opened


def slide_of(store, name, seeds, refused=()):  # type: ignore[no-untyped-def]
    """An ended slide of one field for each of `seeds`, the place on the glass; those of `refused` have no label."""
    slide = store.start_slide(name)
    for seed in seeds:
        found = finding(None, (OUT_OF_FOCUS,)) if seed in refused else replace(finding("Pre"), site=SiteStatus("a", ""))
        store.add_field(slide, frame(seed, seed=seed), found, Circumstances(qc=QC_NOT_CLEARED))
    store.end_slide(slide, seen_again=1)
    return slide


def changes(events):  # type: ignore[no-untyped-def]
    return [(each.action, each.old, each.new) for each in events]


def test_what_is_said_of_a_slide_can_be_changed_and_every_change_is_an_event(store):
    slide = store.start_slide("A-17", details=SlideDetails("ann", "Leishman", "blood", ""))
    events = store.edit_slide(slide, "bob", name=" A-18 ", stain="Leishman", specimen="marrow", note="thin")
    assert changes(events) == [("specimen", "blood", "marrow"), ("note", None, "thin"), ("rename", "A-17", "A-18")]
    assert changes(store.edit_slide(slide, "bob", note="")) == [("note", "thin", None)]
    found = store.slide(slide)
    assert (found.name, found.operator, found.stain, found.specimen, found.note) == (
        "A-18", "ann", "Leishman", "marrow", ""
    )  # fmt: skip
    assert {each.operator for each in store.events(slide)} == {"bob"}


@pytest.mark.parametrize(
    "change", [{"name": ""}, {"stain": "\x1b[2J"}, {"note": "x" * 501}, {"slide_operator": "a\nb"}]
)
def test_a_text_that_no_line_can_show_is_refused_and_nothing_changes(store, change):
    slide = store.start_slide("A-17")
    with pytest.raises(StoreError, match="printable characters"):
        store.edit_slide(slide, "ann", **{"specimen": "blood", **change})
    assert (store.slide(slide).specimen, store.events(slide)) == ("", [])


def test_slides_are_found_by_anything_that_is_said_of_them(store):
    store.start_slide("A-17", details=SlideDetails("Ann", "MÜLLER stain", "marrow", "100%"))
    store.start_slide("B-18")
    for text, names in (("müller", ["A-17"]), ("0%", ["A-17"]), ("_", []), ("1", ["B-18", "A-17"]), ("ann", ["A-17"])):
        assert [slide.name for slide in store.find_slides(text)] == names
    assert [slide.name for slide in store.find_slides("1", before=2)] == ["A-17"]


def test_two_slides_become_one_with_their_counts_photographs_and_what_people_said(store, tmp_path):
    first, second = slide_of(store, "A", [1, 2], refused=[2]), slide_of(store, "B", [3, 4])
    store.classify("ann", [(3, 0)], "blast")
    store.classify("ann", [(1, 0)], "monocyte")
    event = store.merge_slides(first, second, "bob")
    assert (event.action, event.slide_id, event.new, event.reason[:15]) == ("merge", 1, "2", "fields moved: 2")
    slide = store.slide(first)
    assert (slide.tally.accepted, slide.tally.refused, slide.tally.cells, slide.tally.seen_again) == (3, 1, 6, 2)
    assert [record.id for record in store.all_fields(first)] == [1, 2, 3, 4]
    assert all(store.image_path(record).is_file() for record in store.all_fields(first))
    assert [cell.name for cell in store.browse(first)] == ["1.0", "1.1", "3.0", "3.1", "4.0", "4.1"]
    assert store.class_counts(first, "ann") == {"blast": 1, "monocyte": 1}
    assert [each.action for each in store.events(first)] == ["classify", "classify", "merged", "merge"]
    assert store.undo("ann", first).old == "monocyte"
    assert store.undo("ann", first).old == "blast"  # said of the slide that is gone
    with pytest.raises(StoreError, match="no slide 2"):
        store.slide(second)
    store.delete_slide(first)
    assert list((tmp_path / PHOTOGRAPHS).rglob("*")) == []


def test_a_field_that_both_slides_have_is_counted_once_in_its_best_view(store):
    first = slide_of(store, "A", [1, 2, 3, 4], refused=[2])
    second = slide_of(store, "B", [1, 2, 3, 4, 5], refused=[3])
    store.set_review(8, wanted=False, label="Pro")  # B's view of place 4
    store.merge_slides(first, second, "bob")
    # Place 1 of A stays, 2 of B has the label that A's lacks, 3 of A has one; 4 was reviewed and stays twice.
    assert [record.id for record in store.all_fields(first)] == [1, 3, 4, 6, 8, 9]
    tally = store.slide(first).tally
    assert (tally.total, tally.accepted, tally.cells, tally.seen_again) == (6, 6, 12, 2 + 2)
    assert (tally.site_checked, tally.not_cleared, tally.refusals) == (6, 6, {})
    assert len(list((store.folder / PHOTOGRAPHS).rglob("*.jpg"))) == 6


@pytest.mark.parametrize(
    ("into", "other", "message"),
    [
        (1, 1, "cannot be merged with itself"),
        (1, 3, "slide 3 is open"),
        (1, 4, "a microscope's never mix"),
        (1, 2, "slide 2 was signed"),
        (2, 1, "slide 2 is signed"),
        (1, 9, "no slide 9"),
    ],
)
def test_slides_that_must_not_mix_stay_as_they_are(store, into, other, message):
    slide_of(store, "A", [1])
    slide_of(store, "signed", [2])
    store.end_slide(store.start_slide("open then"))
    store.end_slide(store.start_slide("drawn", simulated=True))
    with store._database.transaction() as connection:
        connection.execute("INSERT INTO signatures VALUES (2, 1, 'ann', 0, '{}', 'ab')")
        connection.execute("UPDATE slides SET ended_s = NULL WHERE id = 3")
    with pytest.raises(StoreError, match=message):
        store.merge_slides(into, other, "bob")
    assert [slide.tally.accepted for slide in store.slides()] == [0, 0, 1, 1]
    assert store.events(1) == []
