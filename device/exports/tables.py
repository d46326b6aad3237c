"""Fields and cells of a slide as CSV."""

import csv
import dataclasses
import json
from collections.abc import Callable
from typing import IO, Any

from device.exports.base import Step
from device.store.records import CellRecord, FieldRecord
from device.store.store import Store
from smear.classes import LABELS

_CELL_COLUMNS = (
    "field_id", "number", "x", "y", "width", "height", "area_px", "area_um2", "nc_ratio", "circularity",
    "touches_edge", "slide_id", "accepted", "cell_class", "opinion", "opinion_p", "nucleus_hue", "cytoplasm_hue",
    *(f"p_{name}" for name in LABELS),
)  # fmt: skip
_COLUMNS_OF = {
    "probabilities": tuple(f"p_{label}" for label in LABELS),
    "refusals": ("refusals", "refusal_codes"),
}
_FIELD_COLUMNS = tuple(
    name for field in dataclasses.fields(FieldRecord)
    for name in _COLUMNS_OF.get(field.name, (field.name,))
)  # fmt: skip


_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A text that begins so is a formula to a spreadsheet, which may run programs."""


def write_csv(store: Store, slide_id: int, out: IO[str], step: Step = lambda: None) -> None:
    """Write the fields of a slide, a line each, under a header."""
    with store.snapshot():
        write_fields(store, slide_id, out, lambda record: record.image, step)


def write_fields(
    store: Store,
    slide_id: int,
    out: IO[str],
    image: Callable[[FieldRecord], str | None],
    step: Step = lambda: None,
) -> None:
    """Write the fields of a slide under a header; `image` gives the column of that name."""
    writer = csv.DictWriter(out, _FIELD_COLUMNS)
    writer.writeheader()
    for record in store.all_fields(slide_id):
        writer.writerow(_without_formulas(_field_cells(record) | {"image": image(record)}))
        step()


def write_cells(store: Store, slide_id: int, out: IO[str]) -> None:
    """Write the cells of a slide under a header."""
    writer = csv.DictWriter(out, _CELL_COLUMNS, extrasaction="ignore")
    writer.writeheader()
    for record in store.all_fields(slide_id):
        writer.writerows(_cell_cells(cell) for cell in store.cells(record.id))


def _without_formulas(cells: dict[str, Any]) -> dict[str, Any]:
    """Put an apostrophe before what a spreadsheet would take for a formula."""
    return {
        name: f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
        for name, value in cells.items()
    }


def _field_cells(record: FieldRecord) -> dict[str, Any]:
    values = record.to_json()
    chances = values.pop("probabilities")
    values["refusals"] = "; ".join(map(str, record.refusals))
    values["refusal_codes"] = " ".join(each.code for each in record.refusals)
    values["timing_ms"] = json.dumps(record.timing_ms, allow_nan=False)
    return values | {f"p_{label}": chances.get(label) for label in LABELS}


def _cell_cells(cell: CellRecord) -> dict[str, Any]:
    values = cell.to_json()
    chances = values.pop("probabilities")
    values |= dict(zip(("x", "y", "width", "height"), values.pop("bbox"), strict=True))
    return values | {f"p_{label}": chances.get(label) for label in LABELS}
