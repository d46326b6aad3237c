"""What all exports share: one slide as they read it, and how a format is declared."""

import io
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO

from device.counting.cell_classes import CellClass
from device.settings import Settings
from device.store.records import CellRecord, FieldRecord, SlideRecord
from device.store.review.sign_off import Counted
from device.store.store import Store
from smear.output_files import OutputFolder
from smear.registry import Spec

Step = Callable[[], None]
"""Called after each field, for a progress bar."""


def no_step() -> None:
    """Show no progress."""


@dataclass(frozen=True, slots=True)
class SlideSource:
    """One slide as an export reads it: field by field, so that a large one never stands in memory."""

    store: Store
    slide: SlideRecord
    device: str  # tells this data folder from those of other devices: 8 hexadecimal digits
    settings: Settings
    counted: Counted
    step: Step

    @classmethod
    def of(cls, store: Store, slide_id: int, settings: Settings, step: Step = no_step) -> "SlideSource":
        """Return the slide `slide_id`.

        Raises:
            StoreError: there is none.
        """
        slide, wanted = store.slide(slide_id), settings.cells
        counted = store.counted(slide, wanted.classes, wanted.target)
        return cls(store, slide, device_id(store), settings, counted, step)

    @property
    def classes(self) -> tuple[CellClass, ...]:
        """The classes of cells, as the laboratory set them."""
        return self.settings.cells.classes

    def fields(self) -> Iterator[FieldRecord]:
        """Yield every field of the slide in the order they were taken."""
        return self.store.all_fields(self.slide.id)

    def cells(self, field: FieldRecord) -> list[CellRecord]:
        """Return the cells of one field of the slide."""
        return self.store.cells(field.id)

    def name(self, field: FieldRecord) -> str:
        """Return the name of a field in every file, unique between devices: DEVICE-SLIDE-FIELD."""
        return field_name(self.device, field)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFormat(Spec):
    """One format that slides can leave the device in: a `FileFormat` or a `FolderFormat`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFormat(ExportFormat):
    """A format that makes one file of one slide."""

    write: Callable[[SlideSource, IO[bytes]], None]
    """Writes to a stream that need not be seekable; all that it reads of the store is of one moment."""
    suffix: str  # of the file's name, without a dot
    text: bool = False  # a terminal can show it

    def file_name(self, slide_id: int) -> str:
        """Return the name of the file where nobody gives one."""
        return f"slide-{slide_id}" + ("" if self.name == self.suffix else f"-{self.name}") + f".{self.suffix}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderFormat(ExportFormat):
    """A format that adds files of one slide, or of all, to a folder."""

    write: Callable[[Store, OutputFolder, int | None, Step], Mapping[str, int]]
    """Writes the slide of that number, or all; returns how many files each class got."""
    folder: str  # the folder's name where nobody gives one


def device_id(store: Store) -> str:
    """Return what tells this data folder from those of other devices; a damaged one becomes digits as well."""
    return re.sub("[^0-9a-f]", "", store.store_id())[:8].rjust(8, "0")  # it becomes part of file names


def field_name(device: str, field: FieldRecord) -> str:
    """Return the name of a field in every file, unique between devices: DEVICE-SLIDE-FIELD."""
    return f"{device}-{field.slide_id:06d}-{field.id:08d}"


@contextmanager
def text_stream(out: IO[bytes]) -> Iterator[IO[str]]:
    """Give `out` as UTF-8 text, without a byte order mark or changed line ends; it is left open."""
    text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
    try:
        yield text
    finally:
        text.detach()


def iso_time(unix_s: float | None) -> str:
    """Return a time as ISO 8601 in UTC, to the millisecond; empty where there is none, or no calendar has it."""
    if unix_s is None:
        return ""
    try:
        return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return ""
