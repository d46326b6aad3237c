"""Marks of people: what changed is answered, and stands in the audit trail."""

import pytest

from device.store import Store
from device.store.rows import NONE_OF_THEM
from smear.errors import StoreError
from tests.device.findings import finding, frame


@pytest.fixture
def store(tmp_path):  # type: ignore[no-untyped-def]
    """Slide 1 with two fields."""
    with Store.record(tmp_path) as opened:
        slide = opened.start_slide("A-17")
        for number in (1, 2):
            opened.add_field(slide, frame(number), finding())
        yield opened


def test_reviews_say_from_what_to_what(store):
    found = [
        store.set_review(1, True, operator="ann"),
        store.set_review(1, True, operator="ann"),
        store.set_review(1, False, "Pre", operator="ann"),
        store.set_review(1, False, NONE_OF_THEM, operator="bob"),
    ]
    assert found[1] is None
    trail = [(each.operator, each.field_id, each.old, each.new) for each in store.events(1)]
    assert trail == [
        ("ann", 1, None, "waiting for review"),
        ("ann", 1, "waiting for review", "Pre"),
        ("bob", 1, "Pre", "none of the classes"),
    ]
    assert store.events(1) == [each for each in found if each]


@pytest.mark.parametrize(("which", "field"), [({"slide_id": 1}, None), ({"field_id": 2}, 2)])
def test_a_mark_to_keep_is_told_once(store, which, field):
    for keep in (True, True, False):
        store.set_keep(keep, operator="ann", **which)
    assert [(each.field_id, each.old, each.new) for each in store.events(1)] == [
        (field, None, "kept"), (field, "kept", None)
    ]  # fmt: skip


def test_marks_of_a_missing_field_are_refused(store):
    for mark in (lambda: store.set_keep(True, field_id=9), lambda: store.set_review(9, True)):
        with pytest.raises(StoreError, match="no field 9"):
            mark()
