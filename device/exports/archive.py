"""Zips: files with a manifest that gives the checksum of each; and the one with photographs and tables."""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from device.counting.class_colours import class_colours
from device.exports.base import FileFormat, SlideSource
from device.exports.documents import head_json
from device.exports.outlines import BOX, CellPixels, cell_pixels
from device.exports.tables import write_cells, write_fields, write_qc
from device.store.records import CellRecord, FieldRecord
from smear.errors import ImageError
from smear.images.jpeg import decode_strictly


class Archive:
    """A zip of one slide that is being written."""

    def __init__(self, source: SlideSource, packed: zipfile.ZipFile) -> None:
        self.source = source
        self._zip = packed
        self._sums: dict[str, str] = {}
        self._removed = self._unreadable = 0
        self.there: set[int] = set()  # numbers of the fields whose photograph was read
        self.boxes = 0  # cells recorded before outlines were kept

    def photographs(self) -> Iterator[tuple[FieldRecord, bytes]]:
        """Yield each field whose photograph is still there, with its JPEG; the manifest says how many are not."""
        for field in self.source.fields():
            photograph = self.source.store.photographs.read(field.image)
            if photograph is None:
                self._removed += 1
            else:
                self.there.add(field.id)
                yield field, photograph
            self.source.step()

    def pictures(self) -> Iterator[tuple[FieldRecord, NDArray[np.uint8]]]:
        """Yield each field whose photograph can be read, with its pixels, RGB uint8 (H, W, 3)."""
        for field, photograph in self.photographs():
            try:
                picture = decode_strictly(photograph, "RGB", (field.width, field.height))
            except ImageError:
                self.there.remove(field.id)
                self._unreadable += 1
            else:
                yield field, picture

    def cells(self, field: FieldRecord) -> Iterator[tuple[CellRecord, CellPixels]]:
        """Yield the cells of a field with their pixels; the manifest says how many are boxes."""
        for cell in self.source.cells(field):
            pixels = cell_pixels(cell, field)
            self.boxes += pixels.source == BOX
            yield cell, pixels

    def add(self, name: str, data: bytes, *, packed: bool = False) -> None:
        """Write a file; `packed` data do not get smaller by compressing them again."""
        self._zip.writestr(name, data, zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED)
        self._sums[name] = hashlib.sha256(data).hexdigest()

    @contextmanager
    def text(self, name: str, encoding: str = "utf-8") -> Iterator[IO[str]]:
        """Open a text file inside the zip, so that a million lines never stand in memory."""
        with self._zip.open(name, "w", force_zip64=True) as raw:
            hashing = _Hashing(raw)
            text = io.TextIOWrapper(cast(IO[bytes], hashing), encoding, "backslashreplace", newline="")
            yield text
            text.flush()
            text.detach()
            self._sums[name] = hashing.sum.hexdigest()

    def manifest(self) -> dict[str, Any]:
        """Return the slide's summary, what is missing, the colours of the classes, and the sha256 of each file."""
        return head_json(self.source) | {
            "photographs_removed": self._removed,
            "photographs_unreadable": self._unreadable,
            "cells_as_boxes": self.boxes,
            "class_colours": class_colours(self.source.classes),
            "files": self._sums,
        }


@contextmanager
def archive_of(source: SlideSource, out: IO[bytes]) -> Iterator[Archive]:
    """Give a zip to write the slide into; its manifest is written last. `out` need not be seekable."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        archive = Archive(source, packed)
        yield archive
        manifest = json.dumps(archive.manifest(), ensure_ascii=False, indent=1, allow_nan=False)
        packed.writestr("manifest.json", manifest)


def write_zip(source: SlideSource, out: IO[bytes]) -> None:
    """Write photographs, tables, the report and a manifest.

    The column `image` of fields.csv names the photograph in the zip; it is empty where that was removed.
    """
    from device.slide_report.report import slide_report  # here: other formats need no Jinja2

    with archive_of(source, out) as archive:
        archive.add("report.html", slide_report(source.store, source.slide.id, source.settings).encode())
        for field, photograph in archive.photographs():
            archive.add(_photograph(source, field), photograph, packed=True)
        with archive.text("fields.csv") as text:
            write_fields(source, text, lambda field: _photograph(source, field) if field.id in archive.there else None)
        with archive.text("cells.csv") as text:
            archive.boxes += write_cells(source, text)
        with archive.text("qc.csv") as text:
            write_qc(source, text)
        for each in source.counted.signatures:
            archive.add(f"signed/version_{each.version}.json", each.statement.encode())  # whose sha256 was signed


def _photograph(source: SlideSource, field: FieldRecord) -> str:
    return f"photographs/{source.name(field)}.jpg"


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


FORMAT = FileFormat(
    name="zip", help="photographs, tables, the report and a manifest with checksums", suffix="zip", write=write_zip
)
