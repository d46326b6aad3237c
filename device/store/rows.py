"""Between the rows of the database and what is recorded: reading tells what the disk has damaged."""

import json
import math
import sqlite3
from collections.abc import Iterator
from types import NoneType
from typing import Any

from device.store.contours import pack, unpack
from device.store.database.refusal_codes import refusals_of, refusals_text
from device.store.photographs import is_photograph
from device.store.records import QC_CLEARED, QC_NOT_CLEARED, CellRecord, Circumstances, FieldRecord, SlideRecord
from device.store.slide_summary import SlideTally, tally_of_field
from smear.classes import LABELS
from smear.findings import Finding, Frame, Refusal, RefusalCode
from smear.images import MAX_PIXELS, MIN_SIDE_PX
from smear.imaging.cell_hues import cell_hues
from smear.imaging.frame_outlines import frame_outlines
from smear.output_files import printable

PROBABILITY_COLUMNS = tuple(f"p_{name.lower()}" for name in LABELS)
_NUMBERS = (
    "wall_time_s", "monotonic_s", "width", "height", "cell_count", "focus", "clipped", "brightness", "cell_share",
    "colour_drift",
)  # fmt: skip
_MAYBE_NUMBERS = ("pixel_size_um", "ood_score", "throttled", "temperature_c", *PROBABILITY_COLUMNS)
_SLIDE_TEXTS = ("name", "operator", "stain", "specimen", "note")
_TEXTS = ("boot_id", "source", "bundle_sha256", "level", "runtime", "calibration_id", "site_certificate")
_LABELS = frozenset({None, *LABELS})
_QC = frozenset({None, QC_CLEARED, QC_NOT_CLEARED})
# Of `SlideTally`, stored as kind "count".
_COUNTS = ("refused", "empty", "cells", "seen_again", "site_checked", "not_cleared")
BUNDLE = "bundle"
"""Kind of a row of `slide_counts`: how many fields the bundle with this sha256 examined."""
NONE_OF_THEM = ""
"""The reviewed label of a field that is none of the classes."""
_CELL_NUMBERS = ("x", "y", "width", "height", "area_px", "nc_ratio", "circularity", "slide_id")
_BOX = ("x", "y", "width", "height")
_MOST_PX = 4 * MAX_PIXELS  # of a frame: a camera may give more than a file
_MOST_SIDE_PX = _MOST_PX // MIN_SIDE_PX
_CELL_MAYBE_NUMBERS = ("area_um2", "opinion_p", "nucleus_hue", "cytoplasm_hue", *PROBABILITY_COLUMNS)
_CELL_COLUMNS = (
    "field_id", "number", "x", "y", "width", "height", "area_px", "area_um2", "nc_ratio", "circularity",
    "touches_edge", *PROBABILITY_COLUMNS, "slide_id", "accepted", "opinion", "opinion_p", "nucleus_hue",
    "cytoplasm_hue", "contour",
)  # fmt: skip
INSERT_CELL = f"INSERT INTO cells ({', '.join(_CELL_COLUMNS)}) VALUES ({', '.join('?' * len(_CELL_COLUMNS))})"


def slide_of(row: sqlite3.Row, counts: list[sqlite3.Row], signed: bool) -> SlideRecord:
    """Read one row of `slides` with what belongs to it; what the disk has damaged is empty or 0."""
    values = dict(row)
    _repair(values, ("started_s",), ("ended_s",))
    for name in _SLIDE_TEXTS:
        _repair_one(values, name, str, "", [])
    _repair_one(values, "version", int, 1, [])
    return SlideRecord(
        id=values["id"],
        started_s=values["started_s"],
        ended_s=values["ended_s"],
        simulated=bool(values["simulated"]),
        keep=bool(values["keep"]),
        tally=tally_of_rows(counts),
        version=values["version"],
        signed=signed,
        bundles=tuple(printable(str(each["name"])) for each in counts if each["kind"] == BUNDLE),
        **{name: printable(values[name]) for name in _SLIDE_TEXTS},
    )


def field_of(row: sqlite3.Row) -> FieldRecord:
    """Read one row of `fields`; where the disk has damaged it, the rest is given with what is damaged, and no label."""
    values = dict(row)
    damaged = _repair(values, _NUMBERS, _MAYBE_NUMBERS)
    _repair_pixels(values, ("width", "height"), damaged)
    for name in ("boot_id", "source", "bundle_sha256", "level", "runtime"):
        _repair_one(values, name, str, "", damaged)
    for name in ("calibration_id", "site_certificate", "image", "reviewed_label"):
        _repair_one(values, name, (str, NoneType), None, damaged)
    for name, allowed in (
        ("label", _LABELS),
        ("top", _LABELS),
        ("reviewed_label", {*_LABELS, NONE_OF_THEM}),
        ("qc", _QC),
    ):
        if values[name] not in allowed:
            values[name] = None
            damaged.append(name)
    if values["image"] is not None and not is_photograph(values["image"]):
        values["image"] = None  # it would name a file elsewhere
        damaged.append("image")
    for name in _TEXTS:
        values[name] = printable(values[name]) if values[name] is not None else None
    probabilities = _probabilities(values)
    for name in ("review", "keep", "clock_synced"):
        values[name] = None if values[name] is None else bool(values[name])
    refusals = tuple(
        Refusal(each.code, printable(each.advice)) for each in refusals_of(_unpacked(values, "refusals", list, damaged))
    )
    values["timing_ms"] = _unpacked(values, "timing_ms", dict, damaged)
    if not all(isinstance(ms, int | float) for ms in values["timing_ms"].values()):
        values["timing_ms"] = {}
        damaged.append("timing_ms")
    if damaged:
        advice = f"this record is damaged ({', '.join(damaged)}): look at its photograph"
        refusals = (*refusals, Refusal(RefusalCode.DAMAGED_RECORD, advice))
        values["label"] = None
    values["refusals"] = refusals
    return FieldRecord(probabilities=probabilities, **values)


def cell_of(row: sqlite3.Row) -> CellRecord:
    """Read one row of `cells`; numbers that the disk has damaged are 0."""
    values = dict(row)
    _repair(values, _CELL_NUMBERS, _CELL_MAYBE_NUMBERS)
    for name in ("opinion", "cell_class"):
        _repair_one(values, name, (str, NoneType), None, [])
        values[name] = printable(values[name]) if values[name] is not None else None
    probabilities = _probabilities(values)
    _repair_pixels(values, _BOX, [])
    bbox = (values.pop("x"), values.pop("y"), values.pop("width"), values.pop("height"))
    values |= {name: bool(values[name]) for name in ("touches_edge", "accepted")}
    values["contour"] = unpack(values["contour"])
    return CellRecord(probabilities=probabilities, bbox=bbox, **values)


def _repair(values: dict[str, Any], numbers: tuple[str, ...], maybe: tuple[str, ...]) -> list[str]:
    """Put 0 or None in the place of what is no number; return the names of such columns."""
    damaged: list[str] = []
    for name in numbers:
        _repair_one(values, name, (int, float), 0, damaged)
    for name in maybe:
        _repair_one(values, name, (int, float, NoneType), None, damaged)
    return damaged


def _repair_pixels(values: dict[str, Any], names: tuple[str, ...], damaged: list[str]) -> None:
    """Put 0 in the place of what is no number of pixels that a frame can have: pictures of that size are made."""
    for name in names:
        if not 0 <= values[name] <= _MOST_SIDE_PX:
            values[name] = 0
            damaged.append(name)
        values[name] = int(values[name])
    if values["width"] * values["height"] > _MOST_PX:
        values["width"] = values["height"] = 0
        damaged += ["width", "height"]


def _repair_one(
    values: dict[str, Any], name: str, kind: type | tuple[type, ...], instead: object, damaged: list[str]
) -> None:
    # SQLite keeps any type in any column, and has no checksums: a flipped bit in a row's header changes a type.
    value = values[name]
    if not isinstance(value, kind) or (isinstance(value, float) and not math.isfinite(value)):
        values[name] = instead
        damaged.append(name)


def _unpacked(values: dict[str, Any], name: str, kind: type, damaged: list[str]) -> Any:
    try:
        found = json.loads(values[name], parse_constant=_no_number)
    except (TypeError, ValueError, RecursionError):
        found = None
    if isinstance(found, kind):
        return found
    damaged.append(name)
    return kind()


def _no_number(constant: str) -> float:
    raise ValueError(f"{constant} is no finite number")


def cell_rows(field_id: int, slide_id: int, frame: Frame, finding: Finding) -> Iterator[tuple[Any, ...]]:
    """Yield the values of `INSERT_CELL` for each cell of a field."""
    hues = cell_hues(frame.image, finding.mask, finding.cells)
    outlines = frame_outlines(finding.mask, finding.cells)
    for number, (cell, hue, outline) in enumerate(zip(finding.cells, hues, outlines, strict=True)):
        chances = tuple(map(float, cell.probabilities))
        best, opinion = max(zip(chances, LABELS, strict=True)) if chances else (None, None)
        yield (
            field_id,
            number,
            *(int(value) for value in cell.bbox),
            float(cell.area_px),
            None if cell.area_um2 is None else float(cell.area_um2),
            float(cell.nc_ratio),
            float(cell.circularity),
            int(cell.touches_edge),
            *(chances or (None,) * len(LABELS)),
            slide_id,
            int(finding.label is not None),
            opinion,
            best,
            *hue,
            pack(outline),
        )


def _probabilities(values: dict[str, Any]) -> dict[str, float]:
    found = {name: values.pop(column) for name, column in zip(LABELS, PROBABILITY_COLUMNS, strict=True)}
    return {} if None in found.values() else found


def field_row(frame: Frame, finding: Finding, about: Circumstances) -> dict[str, Any]:
    """Return the columns of `fields` that come from what was seen, without those that place it in the store."""
    quality = finding.quality
    height, width = frame.image.shape[:2]
    chances = [finding.probabilities.get(name) for name in LABELS]
    return {
        "wall_time_s": frame.wall_time_s,
        "monotonic_s": frame.monotonic_s,
        "boot_id": about.boot_id,
        "clock_synced": None if about.clock_synced is None else int(about.clock_synced),
        "source": printable(frame.source),
        "pixel_size_um": frame.pixel_size_um,
        "width": width,
        "height": height,
        "label": finding.label,
        "top": finding.top,
        **{
            column: None if value is None else float(value)
            for column, value in zip(PROBABILITY_COLUMNS, chances, strict=True)
        },
        "refusals": refusals_text(finding.refusals),
        "cell_count": len(finding.cells),
        **{
            name: float(getattr(quality, name))
            for name in ("focus", "clipped", "brightness", "cell_share", "colour_drift")
        },
        "ood_score": None if quality.ood_score is None else float(quality.ood_score),
        "timing_ms": json.dumps(
            {stage: round(float(ms), 3) for stage, ms in finding.timing_ms.items()}, allow_nan=False
        ),
        "bundle_sha256": finding.bundle_sha256,
        "level": finding.level,
        "runtime": finding.runtime,
        "calibration_id": about.calibration_id,
        "site_certificate": finding.site.certificate if finding.site else None,
        "qc": about.qc,
        "throttled": about.throttled,
        "temperature_c": about.temperature_c,
    }


def counts_of(tally: SlideTally) -> list[tuple[str, str, int]]:
    """Return the tally as rows of `slide_counts`: kind, name, n."""
    rows = [("label", name, n) for name, n in tally.labels.items()]
    rows += [("refusal", name, n) for name, n in tally.refusals.items()]
    rows += [("count", name, getattr(tally, name)) for name in _COUNTS]
    return [row for row in rows if row[2]]


def counts_of_record(record: FieldRecord) -> list[tuple[str, str, int]]:
    """Return what a recorded field added to `slide_counts`."""
    bundle = [(BUNDLE, record.bundle_sha256, 1)] if record.bundle_sha256 else []
    checked, not_cleared = record.site_certificate is not None, record.qc == QC_NOT_CLEARED
    return counts_of(tally_of_field(record.label, record.refusals, record.cell_count, checked, not_cleared)) + bundle


def tally_of_rows(rows: list[sqlite3.Row]) -> SlideTally:
    """Return the tally that `counts_of` wrote."""
    kinds: dict[str, dict[str, int]] = {"label": {}, "refusal": {}, "count": {}}
    for row in rows:
        if row["kind"] in kinds and isinstance(row["name"], str) and isinstance(row["n"], int) and row["n"] > 0:
            kinds[row["kind"]][printable(row["name"])] = row["n"]
    labels = {name: kinds["label"][name] for name in LABELS if name in kinds["label"]}
    counts = {name: kinds["count"][name] for name in _COUNTS if name in kinds["count"]}
    return SlideTally(labels=labels, refusals=kinds["refusal"], **counts)
