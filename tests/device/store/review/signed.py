"""A slide that is recorded, counted and signed, for the tests of what comes after."""

from pathlib import Path

from device.counting.cell_classes import DEFAULT_CLASSES
from device.store import Store
from device.store.review.sign_off import Concessions
from device.store.review.statement import Signature
from tests.device.findings import UNCERTAIN, finding, frame

CONCEDED = Concessions(unidentified=True, short="few cells", passed_over="cut by the edge")


def recorded(store: Store, name: str = "A-17", fields: int = 2, simulated: bool = False) -> list[tuple[int, int]]:
    """Record a slide that is ended, and return its cells, two in each field."""
    slide = store.start_slide(name, simulated=simulated)
    for number in range(fields):
        store.add_field(slide, frame(number), finding())
    store.end_slide(slide)
    return [(cell.field_id, cell.number) for field in store.all_fields(slide) for cell in store.cells(field.id)]


def signed(
    store: Store, name: str = "A-17", operator: str = "ann", cell_class: str = "blast", simulated: bool = False
) -> Signature:
    """Record a slide of four cells, call three `cell_class` and one a smudge cell, and sign that."""
    cells = recorded(store, name, simulated=simulated)
    store.classify(operator, cells[:3], cell_class)
    store.classify(operator, cells[3:], "smudge cell")
    return store.sign(store.slides()[0].id, operator, DEFAULT_CLASSES, 200, CONCEDED)


def filled(folder: Path) -> Path:
    """Record slide 1, signed by ann, slide 2 with cells of ann and bob, and slide 3 with a field to review, the 5th."""
    with Store.record(folder) as store:
        signed(store)
        cells = recorded(store, "B-2", fields=2)
        slide = store.start_slide("C-3")
        store.add_field(slide, frame(9), finding(None, (UNCERTAIN,)), review=True)
        store.end_slide(slide)
        store.classify("ann", cells, "blast")
        store.classify("bob", cells[:2], "smudge cell")
    return folder
