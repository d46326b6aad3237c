"""Slides leaving the device: CSV, JSON, a zip with checksums, and reviewed fields as a training folder.

Each export answers from one moment, whatever is recorded or deleted meanwhile.
"""

import csv
import dataclasses
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import PurePath
from typing import IO, Any, cast

from device.store.records import CellRecord, FieldRecord, SlideRecord
from device.store.store import Store
from smear import RESEARCH_USE_ONLY, __version__
from smear.classes import LABELS
from smear.output_files import OutputFolder

Step = Callable[[], None]
"""Called after each field, for a progress bar."""

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
        _write_fields(store, slide_id, out, lambda record: record.image, step)


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


def write_zip(store: Store, slide_id: int, out: IO[bytes], step: Step = lambda: None) -> None:
    """Write photographs, tables and a manifest with the sha256 of each to `out`, which need not be seekable.

    The column `image` of fields.csv names the photograph in the zip; it is empty where that was removed.
    """
    sums: dict[str, str] = {}
    names: dict[int, str] = {}  # by field
    with store.snapshot(), zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bundle:
        for record in store.all_fields(slide_id):
            photograph = store.photographs.read(record.image)
            if photograph is not None:
                names[record.id] = name = f"photographs/{record.id:08d}.jpg"
                bundle.writestr(name, photograph, zipfile.ZIP_STORED)  # JPEG does not get smaller
                sums[name] = hashlib.sha256(photograph).hexdigest()
            step()
        with _entry(bundle, "fields.csv", sums) as text:
            _write_fields(store, slide_id, text, lambda record: names.get(record.id))
        with _entry(bundle, "cells.csv", sums) as text:
            _write_cells(store, slide_id, text)
        slide = store.slide(slide_id)
        about = slide_json(slide, store.reviewed_counts(slide_id)) | {
            "photographs_removed": sum(1 for _ in store.all_fields(slide_id)) - len(names),
            "files": sums,
        }
        bundle.writestr("manifest.json", json.dumps(about, ensure_ascii=False, indent=1, allow_nan=False))


def write_training_folder(store: Store, folder: OutputFolder, step: Step = lambda: None) -> dict[str, int]:
    """Copy every reviewed photograph to Original/<class> in `folder`, as `smearscope train` reads it.

    Fields of simulated slides go to simulated/Original/<class>, since no network should learn from them by accident.
    A name holds the store's id, the slide and the field: stores of several devices can be written to one folder.
    Returns how many each class got; fields reviewed as none of the classes are left out.
    """
    written = dict.fromkeys(LABELS, 0)
    simulated: dict[int, bool] = {}  # by slide
    with store.snapshot():
        for record in store.reviewed():
            photograph = store.photographs.read(record.image) if record.reviewed_label else None
            if photograph is None or not record.reviewed_label:
                continue
            if record.slide_id not in simulated:
                simulated[record.slide_id] = store.slide(record.slide_id).simulated
            top = PurePath("simulated") if simulated[record.slide_id] else PurePath()
            name = f"{store.store_id()}-{record.slide_id:06d}-{record.id:08d}.jpg"
            for label in LABELS:
                if label != record.reviewed_label:
                    folder.remove(top / "Original" / label / name)  # a person has corrected the answer
            folder.write(top / "Original" / record.reviewed_label / name, photograph)
            written[record.reviewed_label] += 1
            step()
    return written


@contextmanager
def _entry(bundle: zipfile.ZipFile, name: str, sums: dict[str, str]) -> Iterator[IO[str]]:
    """Open a text file inside the zip, so that a million lines never stand in memory, and note its sha256."""
    with bundle.open(name, "w", force_zip64=True) as raw:
        hashing = _Hashing(raw)
        text = io.TextIOWrapper(cast(IO[bytes], hashing), encoding="utf-8", newline="")
        yield text
        text.flush()
        text.detach()
        sums[name] = hashing.sum.hexdigest()


class _Hashing(io.RawIOBase):
    """Passes bytes on and sums them up."""

    def __init__(self, out: IO[bytes]) -> None:
        self.sum = hashlib.sha256()
        self._out = out

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, data: Any, /) -> int:
        """Write all of `data`."""
        self.sum.update(data)
        return self._out.write(data)


def _write_fields(
    store: Store,
    slide_id: int,
    out: IO[str],
    image: Callable[[FieldRecord], str | None],
    step: Step = lambda: None,
) -> None:
    writer = csv.DictWriter(out, _FIELD_COLUMNS)
    writer.writeheader()
    for record in store.all_fields(slide_id):
        writer.writerow(_without_formulas(_field_cells(record) | {"image": image(record)}))
        step()


def _write_cells(store: Store, slide_id: int, out: IO[str]) -> None:
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


def slide_json(slide: SlideRecord, reviewed: Mapping[str, int]) -> dict[str, Any]:
    """Return a slide with its summary as JSON types; `reviewed` is `Store.reviewed_counts` of it."""
    tally = slide.tally
    return {
        "notice": RESEARCH_USE_ONLY,
        "smearscope": __version__,
        "id": slide.id,
        "name": slide.name,
        "started_s": slide.started_s,
        "ended_s": slide.ended_s,
        "operator": slide.operator,
        "stain": slide.stain,
        "specimen": slide.specimen,
        "note": slide.note,
        "version": slide.version,
        "signed": slide.signed,
        "simulated": slide.simulated,
        "keep": slide.keep,
        "fields_total": tally.total,
        "fields_accepted": tally.accepted,
        "fields_refused": tally.refused,
        "fields_empty": tally.empty,
        "fields_site_checked": tally.site_checked,  # of the accepted ones
        "seen_again": tally.seen_again,
        "refusals": dict(tally.refusals),
        "classes": {name: dataclasses.asdict(share) for name, share in tally.class_shares().items()},
        "leading": tally.leading(),
        "cells": tally.cells,
        "bundles": list(slide.bundles),  # more than one: the models were changed while the slide was examined
        "reviewed": {label or "none": n for label, n in reviewed.items()},
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
