"""Fields and cells of a slide as CSV."""

import csv
import dataclasses
import json
import math
from collections.abc import Callable
from typing import IO, Any

from device.exports.base import FileFormat, SlideSource, iso_time, text_stream
from device.exports.outlines import BOX, CONTOUR
from device.quality_control.state import run_before
from device.store.records import CellRecord, FieldRecord
from smear.classes import LABELS

_ORIGIN_COLUMNS = ("device", "slide")
_CELL_COLUMNS = (
    *_ORIGIN_COLUMNS, "field_id", "number", "x", "y", "width", "height", "outline", "area_px", "area_um2", "nc_ratio",
    "circularity", "touches_edge", "slide_id", "accepted", "cell_class", "opinion", "opinion_p", "nucleus_hue",
    "cytoplasm_hue", *(f"p_{name}" for name in LABELS),
)  # fmt: skip
_COLUMNS_OF = {
    "wall_time_s": ("time", "wall_time_s"),
    "probabilities": tuple(f"p_{label}" for label in LABELS),
    "refusals": ("refusals", "refusal_codes"),
}
_FIELD_COLUMNS = (
    *_ORIGIN_COLUMNS,
    *(name for each in dataclasses.fields(FieldRecord) for name in _COLUMNS_OF.get(each.name, (each.name,))),
)
_QC_COLUMNS = (
    "device", "run", "id", "time", "operator", "measure", "lot", "value", "mean", "sd", "passed", "rules", "details",
    "slide_id", "reason",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A text that begins so is a formula to a spreadsheet, which may run programs."""


def write_csv(source: SlideSource, out: IO[bytes]) -> None:
    """Write the fields of a slide, a line each, under a header."""
    with text_stream(out) as text:
        write_fields(source, text, lambda field: field.image, source.step)


def write_fields(
    source: SlideSource,
    out: IO[str],
    image: Callable[[FieldRecord], str | None],
    step: Callable[[], None] = lambda: None,
) -> None:
    """Write the fields of a slide under a header; `image` gives the column of that name."""
    writer = csv.DictWriter(out, _FIELD_COLUMNS)
    writer.writeheader()
    for field in source.fields():
        writer.writerow(without_formulas(_origin(source) | _field_values(field) | {"image": image(field)}))
        step()


def write_cells(source: SlideSource, out: IO[str]) -> int:
    """Write the cells of a slide under a header; return how many have no contour."""
    writer = csv.DictWriter(out, _CELL_COLUMNS, extrasaction="ignore")
    writer.writeheader()
    boxes = 0
    for field in source.fields():
        cells = source.cells(field)
        boxes += sum(cell.contour is None for cell in cells)
        writer.writerows(without_formulas(_origin(source) | _cell_values(cell)) for cell in cells)
    return boxes


def write_qc(source: SlideSource, out: IO[str]) -> None:
    """Write the quality control that was in force at the end of the slide, a line for each measurement."""
    writer = csv.DictWriter(out, _QC_COLUMNS, extrasaction="ignore")
    writer.writeheader()
    run = run_before(source.store, math.inf if source.slide.ended_s is None else source.slide.ended_s)
    for each in run.measurements if run else ():
        texts = {"time": iso_time(each.at.wall_s), "rules": " ".join(each.rules)}
        details = json.dumps(each.details, allow_nan=False)
        writer.writerow(without_formulas(each.to_json() | texts | {"device": source.device, "details": details}))


def without_formulas(values: dict[str, Any]) -> dict[str, Any]:
    """Put an apostrophe before what a spreadsheet would take for a formula."""
    return {
        name: f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
        for name, value in values.items()
    }


def _origin(source: SlideSource) -> dict[str, Any]:
    return {"device": source.device, "slide": source.slide.name}


def _field_values(field: FieldRecord) -> dict[str, Any]:
    values = field.to_json()
    chances = values.pop("probabilities")
    values["time"] = iso_time(field.wall_time_s)
    values["refusals"] = "; ".join(map(str, field.refusals))
    values["refusal_codes"] = " ".join(each.code for each in field.refusals)
    values["timing_ms"] = json.dumps(field.timing_ms, allow_nan=False)
    return values | {f"p_{label}": chances.get(label) for label in LABELS}


def _cell_values(cell: CellRecord) -> dict[str, Any]:
    values = cell.to_json()
    chances = values.pop("probabilities")
    values |= dict(zip(("x", "y", "width", "height"), values.pop("bbox"), strict=True))
    values["outline"] = BOX if cell.contour is None else CONTOUR
    return values | {f"p_{label}": chances.get(label) for label in LABELS}


FORMAT = FileFormat(name="csv", help="the fields, a line each", suffix="csv", text=True, write=write_csv)
