"""Classifying cells: the last word of each operator, the last word of all, and a trail that forgets nothing."""

import pytest

from device.store import Store
from device.system.clock import ManualClock
from smear.errors import StoreError
from tests.device.findings import OUT_OF_FOCUS, finding, frame

FIRST, SECOND = (1, 0), (1, 1)


@pytest.fixture
def store(tmp_path):  # type: ignore[no-untyped-def]
    """Slide 1 with an accepted field, 1, and a refused one, 2; each has two cells."""
    with Store.record(tmp_path, clock=ManualClock(wall_s=1_700_000_000.0)) as opened:
        slide = opened.start_slide("A-17")
        opened.add_field(slide, frame(1), finding())
        opened.add_field(slide, frame(2), finding(None, (OUT_OF_FOCUS,)))
        yield opened


def own(store):  # type: ignore[no-untyped-def]
    """What each operator calls each cell."""
    rows = store._database.rows("SELECT * FROM classifications ORDER BY operator, field_id, number")
    return [(row["operator"], (row["field_id"], row["number"]), row["cell_class"]) for row in rows]


def trail(store):  # type: ignore[no-untyped-def]
    return [(each.operator, each.action, each.number, each.old, each.new) for each in store.events(1)]


def test_a_classification_says_who_when_and_from_what_to_what(store):
    (event,) = store.classify(" ann ", [FIRST], "blast")
    assert (event.operator, event.wall_time_s, event.field_id, event.number) == ("ann", 1_700_000_000.0, 1, 0)
    store.classify("ann", [FIRST, SECOND], "monocyte")
    assert trail(store) == [
        ("ann", "classify", 0, None, "blast"),
        ("ann", "classify", 0, "blast", "monocyte"),
        ("ann", "classify", 1, None, "monocyte"),
    ]
    assert store.events_of_cell(*SECOND) == store.events(1)[2:]
    assert store.classify("ann", [FIRST, SECOND], "monocyte") == []  # nothing changed


def test_each_operator_has_a_word_and_the_last_one_shows(store):
    store.classify("ann", [FIRST], "blast")
    store.classify("bob", [FIRST], "lymphocyte")
    assert own(store) == [("ann", FIRST, "blast"), ("bob", FIRST, "lymphocyte")]
    assert store.cell(*FIRST).cell_class == "lymphocyte"
    store.classify("ann", [FIRST], "blast")  # says it again, after bob
    assert store.cell(*FIRST).cell_class == "blast"


def test_undo_takes_back_the_last_word_of_one_operator_step_by_step(store):
    store.classify("ann", [FIRST], "blast")
    store.classify("bob", [FIRST], "lymphocyte")
    store.classify("ann", [FIRST], "monocyte")
    event = store.undo("ann", 1)
    assert (event.action, event.old, event.new, event.undoes) == ("undo", "monocyte", "blast", 3)
    assert own(store) == [("ann", FIRST, "blast"), ("bob", FIRST, "lymphocyte")]
    assert store.cell(*FIRST).cell_class == "lymphocyte"  # bob said it after ann's blast
    assert store.undo("ann", 1).undoes == 1
    assert store.undo("ann", 1) is None
    store.classify("ann", [FIRST], "basophil")
    assert store.undo("ann", 1).old == "basophil"
    assert own(store) == [("bob", FIRST, "lymphocyte")]
    assert store.undo("bob", 1).new is None
    assert store.cell(*FIRST).cell_class is None
    assert len(store.events(1)) == 8


@pytest.mark.parametrize(
    ("operator", "cells", "cell_class", "message"),
    [
        ("ann", [FIRST, (9, 9)], "blast", "no cell 9.9"),
        ("ann", [FIRST, (2, 0)], "blast", "a field without a label"),
        ("", [FIRST], "blast", "an operator's name has 1 to 40"),
        ("a\x1b[31mnn", [FIRST], "blast", "an operator's name"),
        ("ann", [FIRST], "x" * 41, "the name of a class has 1 to 40"),
    ],
)
def test_a_classification_that_is_refused_changes_nothing(store, operator, cells, cell_class, message):
    with pytest.raises(StoreError, match=message):
        store.classify(operator, cells, cell_class)
    assert (own(store), store.events(1)) == ([], [])


def test_a_signed_slide_is_read_only(store):
    store.classify("ann", [FIRST], "blast")
    with store._database.transaction() as connection:
        connection.execute("INSERT INTO signatures VALUES (1, 1, 'ann', 0, '{}', 'ab')")
    with pytest.raises(StoreError, match="slide 1 is signed"):
        store.classify("bob", [SECOND], "blast")
    with pytest.raises(StoreError, match="slide 1 is signed"):
        store.undo("ann", 1)
    assert store.cell(*SECOND).cell_class is None


def test_the_trail_outlives_the_slide(store):
    store.classify("ann", [FIRST], "blast")
    store.end_slide(1)
    store.delete_slide(1)
    assert own(store) == []
    assert [each.new for each in store.events(1)][:1] == ["blast"]
    with pytest.raises(StoreError, match="no slide 1"):
        store.undo("ann", 1)
