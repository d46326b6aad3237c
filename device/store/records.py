"""What the store gives back: slides, fields and cells as frozen records."""

import dataclasses
import json
import sqlite3
from dataclasses import dataclass, field
from types import NoneType
from typing import Any

from device.store.refusal_codes import refusals_of
from device.store.slide_summary import SlideTally
from smear.classes import LABELS
from smear.findings import Cell, Refusal, RefusalCode

PROBABILITY_COLUMNS = tuple(f"p_{name.lower()}" for name in LABELS)
_NUMBERS = (
    "wall_time_s", "monotonic_s", "width", "height", "cell_count", "focus", "clipped", "brightness", "cell_share",
    "colour_drift",
)  # fmt: skip
_MAYBE_NUMBERS = ("pixel_size_um", "ood_score", "throttled", "temperature_c", *PROBABILITY_COLUMNS)
_CELL_NUMBERS = ("x", "y", "width", "height", "area_px", "nc_ratio", "circularity")


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What was true of the machine when a field was taken, beyond the frame and the finding."""

    simulated: bool = False
    calibration_id: str | None = None
    boot_id: str = ""
    clock_synced: bool | None = None
    throttled: int | None = None
    temperature_c: float | None = None


@dataclass(frozen=True, slots=True)
class SlideRecord:
    """One slide with the counts over its distinct fields."""

    id: int
    name: str
    started_s: float
    ended_s: float | None  # None while it is open
    simulated: bool
    keep: bool
    tally: SlideTally


@dataclass(frozen=True, slots=True)
class FieldRecord:
    """One recorded field; the columns of the table `fields`, with JSON unpacked."""

    id: int
    slide_id: int
    wall_time_s: float
    monotonic_s: float
    boot_id: str
    clock_synced: bool | None
    source: str
    pixel_size_um: float | None
    width: int
    height: int
    label: str | None
    top: str | None
    probabilities: dict[str, float]
    refusals: tuple[Refusal, ...]
    cell_count: int
    focus: float
    clipped: float
    brightness: float
    cell_share: float
    colour_drift: float
    ood_score: float | None
    timing_ms: dict[str, float]
    bundle_sha256: str
    level: str
    runtime: str
    calibration_id: str | None
    throttled: int | None
    temperature_c: float | None
    review: bool
    reviewed_label: str | None
    keep: bool
    image: str | None  # path below the data folder; None once retention removed the photograph

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON types."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class CellRecord:
    """One recorded leukocyte."""

    field_id: int
    number: int
    bbox: tuple[int, int, int, int]
    area_px: float
    area_um2: float | None
    nc_ratio: float
    circularity: float
    touches_edge: bool
    probabilities: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON types."""
        return dataclasses.asdict(self)


def field_of(row: sqlite3.Row) -> FieldRecord:
    """Read one row of `fields`; where the disk has damaged it, the rest is given with what is damaged, and no label."""
    values = dict(row)
    damaged = _mend(values, _NUMBERS, _MAYBE_NUMBERS)
    for name in ("boot_id", "source", "bundle_sha256", "level", "runtime"):
        _mend_one(values, name, str, "", damaged)
    for name in ("calibration_id", "image", "reviewed_label"):
        _mend_one(values, name, (str, NoneType), None, damaged)
    for name in ("label", "top"):
        if values[name] not in {None, *LABELS}:
            values[name] = None
            damaged.append(name)
    probabilities = _probabilities(values)
    for name in ("review", "keep", "clock_synced"):
        values[name] = None if values[name] is None else bool(values[name])
    refusals = refusals_of(_unpacked(values, "refusals", list, damaged))
    values["timing_ms"] = _unpacked(values, "timing_ms", dict, damaged)
    if damaged:
        advice = f"this record is damaged ({', '.join(damaged)}): look at its photograph"
        refusals = (*refusals, Refusal(RefusalCode.DAMAGED_RECORD, advice))
        values["label"] = None
    values["refusals"] = refusals
    return FieldRecord(probabilities=probabilities, **values)


def cell_of(row: sqlite3.Row) -> CellRecord:
    """Read one row of `cells`; numbers that the disk has damaged are 0."""
    values = dict(row)
    _mend(values, _CELL_NUMBERS, ("area_um2", *PROBABILITY_COLUMNS))
    probabilities = _probabilities(values)
    bbox = (values.pop("x"), values.pop("y"), values.pop("width"), values.pop("height"))
    values["touches_edge"] = bool(values["touches_edge"])
    return CellRecord(probabilities=probabilities, bbox=bbox, **values)


def _mend(values: dict[str, Any], numbers: tuple[str, ...], maybe: tuple[str, ...]) -> list[str]:
    """Put 0 or None in the place of what is no number; return the names of such columns."""
    damaged: list[str] = []
    for name in numbers:
        _mend_one(values, name, (int, float), 0, damaged)
    for name in maybe:
        _mend_one(values, name, (int, float, NoneType), None, damaged)
    return damaged


def _mend_one(
    values: dict[str, Any], name: str, kind: type | tuple[type, ...], instead: object, damaged: list[str]
) -> None:
    # SQLite keeps any type in any column, and has no checksums: a flipped bit in a row's header changes a type.
    if not isinstance(values[name], kind):
        values[name] = instead
        damaged.append(name)


def _unpacked(values: dict[str, Any], name: str, kind: type, damaged: list[str]) -> Any:
    try:
        found = json.loads(values[name])
    except (TypeError, ValueError):
        found = None
    if isinstance(found, kind):
        return found
    damaged.append(name)
    return kind()


def cell_row(field_id: int, number: int, cell: Cell) -> tuple[Any, ...]:
    """Return the values of one row of `cells`, in the order of its columns."""
    return (
        field_id,
        number,
        *(int(value) for value in cell.bbox),
        float(cell.area_px),
        None if cell.area_um2 is None else float(cell.area_um2),
        float(cell.nc_ratio),
        float(cell.circularity),
        int(cell.touches_edge),
        *(tuple(map(float, cell.probabilities)) or (None,) * len(LABELS)),
    )


def _probabilities(values: dict[str, Any]) -> dict[str, float]:
    found = {name: values.pop(column) for name, column in zip(LABELS, PROBABILITY_COLUMNS, strict=True)}
    return {} if None in found.values() else found


def counts_of(tally: SlideTally) -> list[tuple[str, str, int]]:
    """Return the tally as rows of `slide_counts`: kind, name, n."""
    rows = [("label", name, n) for name, n in tally.labels.items()]
    rows += [("refusal", name, n) for name, n in tally.refusals.items()]
    for name in ("refused", "empty", "cells", "cells_classified", "blasts"):
        rows.append(("count", name, getattr(tally, name)))
    return [row for row in rows if row[2]]


def tally_from(rows: list[sqlite3.Row]) -> SlideTally:
    """Return the tally that `histogram` wrote."""
    kinds: dict[str, dict[str, int]] = {"label": {}, "refusal": {}, "count": {}}
    for row in rows:
        kinds[row["kind"]][row["name"]] = row["n"]
    labels = {name: kinds["label"][name] for name in LABELS if name in kinds["label"]}
    return SlideTally(labels=labels, refusals=kinds["refusal"], **kinds["count"])
