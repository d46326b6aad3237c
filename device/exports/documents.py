"""A slide as one JSON document."""

import json
from collections.abc import Mapping
from typing import IO, Any

from device.exports.base import Step
from device.store.records import SlideRecord
from device.store.store import Store
from smear import RESEARCH_USE_ONLY, __version__


def write_json(store: Store, slide_id: int, out: IO[str], step: Step = lambda: None) -> None:
    """Write the slide with its fields and their cells as one JSON object, field by field."""
    with store.snapshot():
        head = json.dumps(
            slide_json(store.slide(slide_id), store.reviewed_counts(slide_id)),
            ensure_ascii=False,
            indent=1,
            allow_nan=False,
        )
        out.write(head[: head.rindex("\n}")] + ',\n "fields": [')
        for number, record in enumerate(store.all_fields(slide_id)):
            whole = record.to_json() | {"cells": [cell.to_json() for cell in store.cells(record.id)]}
            out.write((",\n" if number else "\n") + json.dumps(whole, ensure_ascii=False, allow_nan=False))
            step()
        out.write("\n]}\n")


def slide_json(slide: SlideRecord, reviewed: Mapping[str, int]) -> dict[str, Any]:
    """Return a slide with its summary as JSON types; `reviewed` is `Store.reviewed_counts` of it."""
    return {
        "notice": RESEARCH_USE_ONLY,
        "smearscope": __version__,
        **slide.to_json(),
        "reviewed": {label or "none": n for label, n in reviewed.items()},
    }
