"""What the store gives back: slides, fields and cells as frozen records."""

import dataclasses
import json
import sqlite3
from dataclasses import dataclass, field
from typing import Any

from device.tally import SlideTally
from smear.classes import LABELS
from smear.field import Cell

PROBABILITY_COLUMNS = tuple(f"p_{name.lower()}" for name in LABELS)


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
    refusals: tuple[str, ...]
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
    """Read one row of `fields`."""
    values = dict(row)
    probabilities = _probabilities(values)
    for name in ("review", "keep", "clock_synced"):
        values[name] = None if values[name] is None else bool(values[name])
    values["refusals"] = tuple(json.loads(values["refusals"]))
    values["timing_ms"] = json.loads(values["timing_ms"])
    return FieldRecord(probabilities=probabilities, **values)


def cell_of(row: sqlite3.Row) -> CellRecord:
    """Read one row of `cells`."""
    values = dict(row)
    probabilities = _probabilities(values)
    bbox = (values.pop("x"), values.pop("y"), values.pop("width"), values.pop("height"))
    values["touches_edge"] = bool(values["touches_edge"])
    return CellRecord(probabilities=probabilities, bbox=bbox, **values)


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
    """Return the tally that `counts_of` wrote."""
    kinds: dict[str, dict[str, int]] = {"label": {}, "refusal": {}, "count": {}}
    for row in rows:
        kinds[row["kind"]][row["name"]] = row["n"]
    labels = {name: kinds["label"][name] for name in LABELS if name in kinds["label"]}
    return SlideTally(labels=labels, refusals=kinds["refusal"], **kinds["count"])
