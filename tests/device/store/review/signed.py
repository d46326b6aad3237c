"""A slide that is recorded, counted and signed, for the tests of what comes after."""

from device.counting.cell_classes import DEFAULT_CLASSES
from device.store import Store
from device.store.review.sign_off import Concessions
from device.store.review.statement import Signature
from tests.device.findings import finding, frame

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
