"""What a person signs: all that a count rests on, as one canonical text; and whether the records still say so."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from device.counting.cell_classes import CellClass, Role
from device.store.database import Database
from device.store.queries import Queries
from device.store.review.counts import Counts
from smear.output_files import printable
from smear.site import NOT_CHECKED

FORMAT = 1
"""Of the statement; one of another format is read as it stands and not compared with the records."""
DAMAGED = "the statement does not match its sha256: the disk has damaged it"

_TAKEN_WITH = ("level", "runtime", "calibration_id", "site_certificate", "qc")
_ANSWERS = ("id", "wall_time_s", "label", "reviewed_label", "refusals", "cell_count", "pixel_size_um", "bundle_sha256")
_FIELDS = f"""
SELECT image IS NOT NULL, {", ".join(_TAKEN_WITH + _ANSWERS)} FROM fields
WHERE slide_id = ? AND id > ? ORDER BY id LIMIT ?
"""
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Signature:
    """A signed result: what was said, by whom and when. Nothing in it changes."""

    slide_id: int
    version: int  # of the slide
    operator: str
    wall_time_s: float
    statement: str  # canonical JSON
    sha256: str  # of the statement, in UTF-8

    @property
    def intact(self) -> bool:
        """True: the statement is the one that was signed."""
        return sha256_of(self.statement) == self.sha256

    def said(self) -> dict[str, Any]:
        """Return the statement as JSON types.

        Raises:
            ValueError: the disk has damaged it.
        """
        found = json.loads(self.statement)
        if not isinstance(found, dict):
            raise ValueError("the statement is no JSON object")
        return found

    def to_json(self) -> dict[str, Any]:
        """Return who signed what, without the statement itself, as JSON types."""
        return {name: value for name, value in asdict(self).items() if name != "statement"}


def canonical(value: object) -> str:
    """Return `value` as JSON that has one form: sorted keys, no blanks, finite numbers."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def sha256_of(text: str) -> str:
    """Return the sha256 of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def classes_json(classes: Sequence[CellClass]) -> list[dict[str, Any]]:
    """Return what a count needs of the classes, as JSON types."""
    return [{"name": each.name, "role": str(each.role)} for each in classes]


def classes_of(said: Sequence[dict[str, Any]]) -> list[CellClass]:
    """Return the classes that `classes_json` gave."""
    return [CellClass(each["name"], "", Role(each["role"])) for each in said]


def records_json(
    database: Database,
    queries: Queries,
    counts: Counts,
    slide_id: int,
    operator: str,
    classes: Sequence[CellClass],
    target: int,
) -> dict[str, Any]:
    """Return what the records say of a slide and of the operator's count, as JSON types."""
    slide = queries.slide(slide_id)
    about = {name: value for name, value in slide.to_json().items() if name not in {"keep", "signed"}}
    return {
        "slide": about,
        "reviewed": {label or "none": n for label, n in queries.reviewed_counts(slide_id).items()},
        "count": counts.differential(slide_id, operator, classes, target).to_json(),
        "cells_sha256": sha256_of(canonical(counts.classified(slide_id, operator))),
        "not_checked": NOT_CHECKED if slide.tally.site_checked < slide.tally.accepted else None,
        **_fields_json(database, slide_id),
    }


def differences(signed: Mapping[str, Any], today: Mapping[str, Any]) -> list[str]:
    """Return the names of what the records of `today` say otherwise than those that were `signed`.

    What a later release says of a slide besides is no difference.
    """
    now = json.loads(canonical(today))
    parts = [(f"slide {name}", value, now["slide"].get(name)) for name, value in signed["slide"].items()]
    parts += [(name, value, now.get(name)) for name, value in signed.items() if name != "slide"]
    return [name for name, was, is_ in parts if was != is_]


def _fields_json(database: Database, slide_id: int) -> dict[str, Any]:
    """Return what the fields of a slide were taken with, how many with each, and a checksum over their answers."""
    total, photographs, after = hashlib.sha256(), 0, 0
    found = [Counter[str]() for _ in _TAKEN_WITH]
    # As they lie in the table, and a batch at a time: the database is locked while a slide is signed.
    while rows := database.rows(_FIELDS, slide_id, after, _BATCH):
        for row in rows:
            image, *values = tuple(row)
            photographs += image
            total.update(f"{values}\n".encode())
            for counted, value in zip(found, values, strict=False):
                counted["none" if value is None else printable(str(value))] += 1
        after = rows[-1]["id"]
    by_name = {name: dict(counted) for name, counted in zip(_TAKEN_WITH, found, strict=True)}
    return {**by_name, "photographs": photographs, "fields_sha256": total.hexdigest()}
