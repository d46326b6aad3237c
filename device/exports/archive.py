"""A slide as a zip: photographs, tables, and a manifest with the checksum of each."""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

from device.exports.base import Step
from device.exports.documents import slide_json
from device.exports.tables import write_cells, write_fields
from device.store.store import Store


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
            write_fields(store, slide_id, text, lambda record: names.get(record.id))
        with _entry(bundle, "cells.csv", sums) as text:
            write_cells(store, slide_id, text)
        slide = store.slide(slide_id)
        about = slide_json(slide, store.reviewed_counts(slide_id)) | {
            "photographs_removed": sum(1 for _ in store.all_fields(slide_id)) - len(names),
            "files": sums,
        }
        bundle.writestr("manifest.json", json.dumps(about, ensure_ascii=False, indent=1, allow_nan=False))


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
