"""The gallery: pages of cells in a steady order, whatever is classified meanwhile."""

from dataclasses import replace

import pytest

from device.store import Store
from smear.classes import LABELS
from smear.errors import StoreError
from tests.device.findings import OUT_OF_FOCUS, cell, finding, frame


@pytest.fixture
def store(tmp_path):  # type: ignore[no-untyped-def]
    """Slide 1: eight fields of three cells with various opinions, and a refused field; the cells have two classes."""
    with Store.record(tmp_path) as opened:
        slide = opened.start_slide("A-17")
        for number in range(8):
            chances = [tuple(0.1 + 0.05 * ((number + place + turn) % 7) for place in range(4)) for turn in range(2)]
            cells = (*(replace(cell(), probabilities=each) for each in chances), cell(None))
            opened.add_field(slide, frame(number), finding(cells=cells))
        opened.add_field(slide, frame(9), finding(None, (OUT_OF_FOCUS,)))
        opened.classify("ann", [(1, 0), (3, 1), (8, 2)], "blast")
        opened.classify("bob", [(2, 0), (3, 0)], "monocyte")
        yield opened


def places(cells):  # type: ignore[no-untyped-def]
    return [(each.field_id, each.number) for each in cells]


def by_opinion(cells):  # type: ignore[no-untyped-def]
    return sorted(cells, key=lambda each: (each.opinion or "~", -(each.opinion_p or 0), each.field_id, each.number))


CHOICES = [
    ({}, lambda each: True),
    ({"cell_class": "blast"}, lambda each: each.cell_class == "blast"),
    ({"cell_class": "no such class"}, lambda each: False),
    ({"unclassified": True}, lambda each: each.cell_class is None),
    ({"unclassified": True, "operator": "ann"}, lambda each: each.cell_class != "blast"),
]


@pytest.mark.parametrize("order", ["taken", "opinion"])
@pytest.mark.parametrize(("choice", "belongs"), CHOICES)
@pytest.mark.parametrize("limit", [1, 2, 5, 50])
def test_pages_hold_every_cell_of_accepted_fields_once_and_in_order(store, order, choice, belongs, limit):
    cells = [each for field in store.all_fields(1) if field.label for each in store.cells(field.id) if belongs(each)]
    expected = places(cells if order == "taken" else by_opinion(cells))
    found, after = [], None
    while page := places(store.browse(1, order=order, after=after, limit=limit, **choice)):
        assert len(page) <= limit
        found, after = found + page, page[-1]
    assert found == expected


def test_cells_that_are_classified_on_the_way_neither_repeat_nor_vanish(store):
    seen, after = [], None
    while page := store.browse(1, unclassified=True, order="opinion", after=after, limit=1):
        after = (page[0].field_id, page[0].number)
        seen.append(after)
        store.classify("ann", [after], LABELS[0])
    assert len(seen) == len(set(seen)) == 24 - 5
    assert store.browse(1, unclassified=True) == []
    assert store.class_totals(1) == {LABELS[0]: 19, "blast": 3, "monocyte": 2}
    assert store.classified_by_field(1) == dict.fromkeys(range(1, 9), 3)


def test_opinions_that_the_disk_has_damaged_hide_no_other_cell(store):
    with store._database.transaction() as connection:
        for column, value, field in [
            ("opinion", b"\xc3", 1), ("opinion", 7, 2), ("opinion_p", "q", 3), ("opinion_p", b"", 4),
            ("opinion_p", None, 5), ("cell_class", b"\x00", 6),
        ]:  # fmt: skip
            connection.execute(f"UPDATE cells SET {column} = ? WHERE field_id = ?", (value, field))
    found, after = [], None
    while page := places(store.browse(1, order="opinion", after=after, limit=1)):
        found, after = found + page, page[-1]
    assert sorted(found) == [(field, number) for field in range(1, 9) for number in range(3)]


def test_a_cell_is_found_by_its_name_and_a_missing_one_is_a_clear_line(store):
    assert store.cell(3, 1).name == "3.1"
    with pytest.raises(StoreError, match=r"no cell 99\.0"):
        store.browse(1, after=(99, 0))


@pytest.mark.parametrize("order", ["taken", "opinion"])
@pytest.mark.parametrize("part", range(3))
def test_every_page_is_a_range_of_an_index_and_sorts_nothing(store, monkeypatch, order, part):
    plans: list[str] = []
    ask = store._database.rows

    def explained(sql, *values):  # type: ignore[no-untyped-def]
        if "INDEXED BY" in sql:
            plans.extend(row["detail"] for row in ask(f"EXPLAIN QUERY PLAN {sql}", *values))
        return ask(sql, *values)

    monkeypatch.setattr(store.browse.__self__, "_rows", explained)
    store.browse(1, unclassified=True, operator="ann", order=order, after=(4, part))
    assert not [plan for plan in plans if "TEMP B-TREE" in plan]
    ranges = [plan for plan in plans if plan.startswith("SEARCH cells")]
    name = (
        "cells_in_order (slide_id=? AND cell_class=?"
        if order == "taken"
        else "cells_by_opinion (slide_id=? AND cell_class=? AND opinion"
    )
    assert len(ranges) >= 3
    assert [plan for plan in ranges if name not in plan or "COVERING" not in plan] == []
