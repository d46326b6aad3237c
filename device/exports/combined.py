"""The tables of several exports, of one device or many, as one: each slide once, from its newest export."""

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from device.exports.tables import without_formulas
from smear.errors import StoreError
from smear.output_files import printable

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?", re.ASCII)
_NAMES = frozenset({"device", "slide", "boot_id", "cell_class"})  # texts that may look like numbers
_WORDS = {"": None, "True": True, "False": False}


@dataclass(frozen=True, slots=True)
class _Export:
    path: Path
    slide: tuple[str, int]  # device and number
    started_s: float
    exported: str  # ISO 8601; "": by a version that did not say
    sha256: str  # of the table


class CombinedTable:
    """The rows of one table of the exports, ordered by device and slide."""

    def __init__(self, paths: Sequence[Path], table: str) -> None:
        """`table` is "fields" or "cells".

        Raises:
            StoreError: a file is no zip of 'slides export', or two of one slide contradict each other.
        """
        self._file = f"{table}.csv"
        chosen: dict[tuple[str, int], _Export] = {}
        conflicts = []
        for new in sorted(map(self._read_head, paths), key=lambda each: each.exported):
            old = chosen.get(new.slide)
            if old is not None and (reason := self._conflict(old, new)):
                conflicts.append(f"{printable(old.path)} and {printable(new.path)}: {reason}")
            chosen[new.slide] = new
        if conflicts:
            raise StoreError(f"{'; '.join(conflicts)}; leave one of them out")
        self.exports = [chosen[slide].path for slide in sorted(chosen)]
        self.columns = list(dict.fromkeys(name for path in self.exports for name in next(self._lines(path), [])))

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield each row with the columns that its export has: numbers, booleans and texts; None for an empty one."""
        for path in self.exports:
            lines = self._lines(path)
            header = next(lines, [])
            for line in lines:
                yield without_formulas({name: _typed(name, value) for name, value in zip(header, line, strict=False)})

    def _read_head(self, path: Path) -> _Export:
        try:
            with zipfile.ZipFile(path) as packed:
                head = json.loads(packed.read("manifest.json"))
            slide = str(head["device"]), int(head["id"])
            started_s, sha256 = float(head["started_s"]), str(head["files"][self._file])
            return _Export(path, slide, started_s, str(head.get("exported", "")), sha256)
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise _no_export(path) from error

    def _conflict(self, old: _Export, new: _Export) -> str:
        """Return why neither of two exports of one slide replaces the other, "" where one does."""
        slide = f"slide {new.slide[1]} of device {new.slide[0]}"
        if old.exported == new.exported and old.sha256 != new.sha256:
            return f"{slide} differs, and neither is the newer"
        before, after = self._taken(old.path), self._taken(new.path)
        if old.started_s != new.started_s or any(before[each] != after[each] for each in before.keys() & after.keys()):
            return f"{slide} is two slides, as where a device and its restored backup both went on"
        return ""

    def _taken(self, path: Path) -> dict[str, str]:
        """Return when each field was taken, by its number, which is given once in a device."""
        lines = self._lines(path, "fields.csv")
        header = next(lines, [])
        try:
            number, time = header.index("id"), header.index("wall_time_s")
            return {line[number]: line[time] for line in lines}
        except (ValueError, IndexError) as error:
            raise _no_export(path) from error

    def _lines(self, path: Path, file: str | None = None) -> Iterator[list[str]]:
        try:
            with zipfile.ZipFile(path) as packed, packed.open(file or self._file) as raw:
                yield from csv.reader(io.TextIOWrapper(raw, "utf-8", newline=""))
        except (OSError, ValueError, KeyError, csv.Error, zipfile.BadZipFile) as error:
            raise _no_export(path) from error


def _typed(name: str, value: str) -> Any:
    if name in _NAMES or not _NUMBER.fullmatch(value):
        return _WORDS.get(value, value)
    return int(value) if value.lstrip("-").isdecimal() else float(value)


def _no_export(path: Path) -> StoreError:
    return StoreError(f"{printable(path)} is missing, damaged or no zip of 'smearscope slides export'")
