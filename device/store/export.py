"""Slides leaving the device: CSV, JSON, a zip with checksums, and reviewed fields as a training folder."""

import csv
import dataclasses
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from device.store.reader import Reader
from device.store.records import CellRecord, FieldRecord, SlideRecord
from smear import RESEARCH_USE_ONLY, __version__
from smear.classes import LABELS
from smear.errors import StoreError
from smear.images import write_atomic

Step = Callable[[], None]
"""Called after each field, for a progress bar."""

_CELL_COLUMNS = (
    "field_id", "number", "x", "y", "width", "height", "area_px", "area_um2", "nc_ratio", "circularity",
    "touches_edge", *(f"p_{name}" for name in LABELS),
)  # fmt: skip
_COLUMNS_OF = {
    "probabilities": tuple(f"p_{label}" for label in LABELS),
    "refusals": ("refusals", "refusal_codes"),
}
_FIELD_COLUMNS = tuple(
    name for field in dataclasses.fields(FieldRecord)
    for name in _COLUMNS_OF.get(field.name, (field.name,))
)  # fmt: skip


def write_csv(store: Reader, slide_id: int, out: IO[str], step: Step = lambda: None) -> None:
    """Write the fields of a slide, a line each, under a header."""
    writer = csv.DictWriter(out, _FIELD_COLUMNS)
    writer.writeheader()
    for record in store.all_fields(slide_id):
        writer.writerow(_field_cells(record))
        step()


def write_json(store: Reader, slide_id: int, out: IO[str], step: Step = lambda: None) -> None:
    """Write the slide with its fields and their cells as one JSON object, field by field."""
    head = json.dumps(slide_json(store.slide(slide_id)), ensure_ascii=False, indent=1)
    out.write(head[: head.rindex("\n}")] + ',\n "fields": [')
    for number, record in enumerate(store.all_fields(slide_id)):
        whole = record.to_json() | {"cells": [cell.to_json() for cell in store.cells(record.id)]}
        out.write((",\n" if number else "\n") + json.dumps(whole, ensure_ascii=False))
        step()
    out.write("\n]}\n")


def write_zip(store: Reader, slide_id: int, path: Path, step: Step = lambda: None) -> None:
    """Write photographs, tables and a manifest with the sha256 of each; the file appears only when whole.

    Raises:
        StoreError: `path` cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    sums: dict[str, str] = {}
    missing = 0
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as bundle:
            with _entry(bundle, "fields.csv", sums) as out:
                write_csv(store, slide_id, out)
            with _entry(bundle, "cells.csv", sums) as out:
                _write_cells(store, slide_id, out)
            for record in store.all_fields(slide_id):
                photograph = store.image_path(record)
                if photograph is not None and photograph.is_file():
                    name, data = f"photographs/{record.id:08d}.jpg", photograph.read_bytes()
                    bundle.writestr(name, data, zipfile.ZIP_STORED)  # JPEG does not get smaller
                    sums[name] = hashlib.sha256(data).hexdigest()
                else:
                    missing += 1
                step()
            about = slide_json(store.slide(slide_id)) | {"photographs_removed": missing, "files": sums}
            bundle.writestr("manifest.json", json.dumps(about, ensure_ascii=False, indent=1))
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StoreError(f"cannot write {path}: {error.strerror}; free some space or choose another folder") from error


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


def _write_cells(store: Reader, slide_id: int, out: IO[str]) -> None:
    writer = csv.DictWriter(out, _CELL_COLUMNS)
    writer.writeheader()
    for record in store.all_fields(slide_id):
        writer.writerows(_cell_cells(cell) for cell in store.cells(record.id))


def write_training_folder(store: Reader, folder: Path, step: Step = lambda: None) -> dict[str, int]:
    """Copy every reviewed photograph to `folder`/Original/<class>, as `smearscope train` reads it.

    Returns how many each class got; fields reviewed as none of the classes are left out.
    """
    written = dict.fromkeys(LABELS, 0)
    for record, photograph in _reviewed_photographs(store):
        assert record.reviewed_label is not None
        target = folder / "Original" / record.reviewed_label / f"{record.bundle_sha256[:8]}-{record.id:08d}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(target, photograph.read_bytes())
        written[record.reviewed_label] += 1
        step()
    return written


def slide_json(slide: SlideRecord) -> dict[str, Any]:
    """Return a slide with its summary as JSON types."""
    tally, blasts = slide.tally, slide.tally.blast_share()
    return {
        "notice": RESEARCH_USE_ONLY,
        "smearscope": __version__,
        "id": slide.id,
        "name": slide.name,
        "started_s": slide.started_s,
        "ended_s": slide.ended_s,
        "simulated": slide.simulated,
        "keep": slide.keep,
        "fields_total": tally.total,
        "fields_accepted": tally.accepted,
        "fields_refused": tally.refused,
        "fields_empty": tally.empty,
        "refusals": dict(tally.refusals),
        "classes": {name: dataclasses.asdict(share) for name, share in tally.class_shares().items()},
        "leading": tally.leading(),
        "cells": tally.cells,
        "blast_share": dataclasses.asdict(blasts) if blasts else None,
    }


def _reviewed_photographs(store: Reader) -> Iterator[tuple[FieldRecord, Path]]:
    for record in store.reviewed():
        photograph = store.image_path(record)
        if record.reviewed_label and photograph is not None and photograph.is_file():
            yield record, photograph


def _field_cells(record: FieldRecord) -> dict[str, Any]:
    values = record.to_json()
    chances = values.pop("probabilities")
    values["refusals"] = "; ".join(map(str, record.refusals))
    values["refusal_codes"] = " ".join(each.code for each in record.refusals)
    values["timing_ms"] = json.dumps(record.timing_ms)
    return values | {f"p_{label}": chances.get(label) for label in LABELS}


def _cell_cells(cell: CellRecord) -> dict[str, Any]:
    values = cell.to_json()
    chances = values.pop("probabilities")
    values |= dict(zip(("x", "y", "width", "height"), values.pop("bbox"), strict=True))
    return values | {f"p_{label}": chances.get(label) for label in LABELS}
