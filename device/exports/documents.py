"""A slide as one JSON document."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

from device.exports.base import FileFormat, SlideSource, iso_time, text_stream
from device.store.records import SlideRecord
from device.store.review.sign_off import Counted
from device.store.store import Store
from device.system.clock import SystemClock
from smear import RESEARCH_USE_ONLY, __version__


def write_json(source: SlideSource, out: IO[bytes]) -> None:
    """Write the slide with its fields and their cells as one JSON object, field by field."""
    with text_stream(out) as text:
        write_object(text, head_json(source), fields=_fields(source))


def _fields(source: SlideSource) -> Iterator[dict[str, Any]]:
    for field in source.fields():
        cells = [cell.to_json() for cell in source.cells(field)]
        yield field.to_json() | {"time": iso_time(field.wall_time_s), "cells": cells}
        source.step()


def write_object(out: IO[str], head: Mapping[str, Any], **lists: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object: the members of `head`, then each of `lists`, an item a line, taken one after the other."""
    text = json.dumps(head, ensure_ascii=False, indent=1, allow_nan=False)
    out.write(text[: text.rindex("\n}")])
    for name, items in lists.items():
        out.write(f',\n "{name}": [')
        for number, item in enumerate(items):
            out.write((",\n" if number else "\n") + json.dumps(item, ensure_ascii=False, allow_nan=False))
        out.write("\n]")
    out.write("\n}\n")


def head_json(source: SlideSource) -> dict[str, Any]:
    """Return the slide with its summary as JSON types, which device it is from, and when it was exported."""
    about = {"device": source.device, "exported": iso_time(SystemClock().wall_s())}
    return slide_json(source.store, source.slide, source.counted) | about


def slide_json(store: Store, slide: SlideRecord, counted: Counted) -> dict[str, Any]:
    """Return a slide with its summary as JSON types; `counted` is `Store.counted` of it."""
    return {
        "notice": RESEARCH_USE_ONLY,
        "smearscope": __version__,
        **slide.to_json(),
        "started": iso_time(slide.started_s),
        "ended": iso_time(slide.ended_s) or None,
        "reviewed": {label or "none": n for label, n in store.reviewed_counts(slide.id).items()},
        "classified": store.class_totals(slide.id),
        **counted.to_json(),
    }


FORMAT = FileFormat(
    name="json",
    help="the slide with its fields and cells as one JSON object",
    suffix="json",
    text=True,
    write=write_json,
)
