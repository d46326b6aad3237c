"""Named, seeded splits of the fields into train, validation and test parts, written once and used by every model."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError
from sklearn.model_selection import StratifiedGroupKFold

from smear.classes import LABELS
from smear.errors import DatasetError, first_fault
from smear.output_files import OutputFolder
from train.data.dataset import Dataset, Record, read

NAMES = ("paper", "grouped", "session")
PAPER_COUNTS = {"Benign": (323, 80, 101), "Early": (631, 157, 197), "Pre": (616, 154, 193), "Pro": (516, 128, 160)}
"""Train, validation and test fields of each class (Reza et al. 2025, table 1)."""
PARTS = 5  # a fifth of all for test, a fifth of the rest for validation: the paper's 64, 16 and 20 %


@dataclass(frozen=True, slots=True)
class Fold:
    """Three disjoint lists of fields, by file name relative to the folder of the classes."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NamedSplit:
    """A split as it is stored; `paper` and `grouped` have one fold, `session` one for each session held out."""

    name: str
    seed: int
    fingerprint: str  # of the data set it splits
    folds: tuple[Fold, ...]


_SPLIT = TypeAdapter(NamedSplit)


@dataclass(frozen=True, slots=True)
class Audited:
    """What a split needs to know of one field: its near-duplicates, and its stain session."""

    sha256: str
    group: str  # shared by near-duplicates
    session: str  # "Benign-1": the first session of that class


def read_audit(path: Path) -> dict[str, Audited]:
    """Return group and session of every file in an audit's CSV.

    Raises:
        DatasetError: it cannot be read or lacks a column.
    """
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            return {row["file"]: Audited(row["sha256"], row["group"], row["session"]) for row in csv.DictReader(lines)}
    except (OSError, KeyError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: not an audit ({error}); write one with 'smearscope train audit'") from error


def make(name: str, data: Dataset, audit: Mapping[str, Audited], seed: int) -> NamedSplit:
    """Split `data`; the same name, seed, files and audit give the same split. `paper` needs no `audit`.

    Raises:
        DatasetError: no split has that name, or the audit is of other files.
    """
    if name not in NAMES:
        raise DatasetError(f"no split is called {name!r}; choose one of {', '.join(NAMES)}")
    if name == "paper":
        return NamedSplit(name, seed, data.fingerprint, (_paper(data.records, seed),))
    unknown = [r.file for r in data.records if r.file not in audit or audit[r.file].sha256 != r.sha256]
    if unknown:
        raise DatasetError(
            f"{len(unknown)} of {len(data.records)} fields are not in the audit or have changed since, "
            f"{unknown[0]} first; run 'smearscope train audit' on this folder again"
        )
    folds = (_grouped(data.records, audit, seed),) if name == "grouped" else _sessions(data.records, audit, seed)
    return NamedSplit(name, seed, data.fingerprint, folds)


def _paper(records: Sequence[Record], seed: int) -> Fold:
    rng = np.random.default_rng(seed)
    parts: tuple[list[str], list[str], list[str]] = ([], [], [])
    for label in LABELS:
        files = [r.file for r in records if r.label == label]
        rng.shuffle(files)
        counts = PAPER_COUNTS[label]
        # Exact on the full set; in proportion on a part of it.
        ends = [round(len(files) * sum(counts[: i + 1]) / sum(counts)) for i in range(3)]
        for part, begin, end in zip(parts, [0, *ends[:2]], ends, strict=True):
            part.extend(files[begin:end])
    return Fold(*(tuple(sorted(part)) for part in parts))


def _grouped(records: Sequence[Record], audit: Mapping[str, Audited], seed: int) -> Fold:
    rest, test = _divide(records, audit, seed)
    train, validation = _divide(rest, audit, seed)
    return Fold(_names(train), _names(validation), _names(test))


def _sessions(records: Sequence[Record], audit: Mapping[str, Audited], seed: int) -> tuple[Fold, ...]:
    """Return one fold for each number k: session k of every class is the test part; the rest is divided by groups."""
    numbers = sorted({_number(audit[r.file].session) for r in records})
    folds = []
    for number in numbers:
        rest, test = (
            [r for r in records if (_number(audit[r.file].session) == number) is here] for here in (False, True)
        )
        missing = set(LABELS) - {r.label for r in test}
        if missing:
            raise DatasetError(
                f"session {number} has no field of {', '.join(sorted(missing))}; every class needs as many sessions: "
                "run 'smearscope train audit' again"
            )
        train, validation = _divide(rest, audit, seed)
        folds.append(Fold(_names(train), _names(validation), _names(test)))
    return tuple(folds)


def _divide(records: Sequence[Record], audit: Mapping[str, Audited], seed: int) -> tuple[list[Record], list[Record]]:
    """Return about four fifths and one fifth of `records`: classes in proportion, groups whole."""
    labels = [r.label for r in records]
    groups = [audit[r.file].group for r in records]
    sizes = {label: len({g for g, own in zip(groups, labels, strict=True) if own == label}) for label in set(labels)}
    label, size = min(sizes.items(), key=lambda each: (each[1], each[0]))
    if size < PARTS:
        raise DatasetError(
            f"{label}: {size} different fields, too few to divide them; add {PARTS - size} of other places"
        )
    splitter = StratifiedGroupKFold(PARTS, shuffle=True, random_state=seed)
    large, small = next(splitter.split(labels, labels, groups))
    return [records[i] for i in large], [records[i] for i in small]


def _number(session: str) -> int:
    return int(session.rpartition("-")[2])


def _names(records: Sequence[Record]) -> tuple[str, ...]:
    return tuple(r.file for r in records)


def save(split: NamedSplit, path: Path) -> None:
    """Write `split` to `path` as JSON, whole or not at all.

    Raises:
        StoreError: it cannot be written.
    """
    with OutputFolder(path.parent, create=True) as folder:
        folder.write(path.name, _SPLIT.dump_json(split, indent=1) + b"\n")


def load(path: Path, fingerprint: str | None = None) -> NamedSplit:
    """Read what `save` wrote; with `fingerprint`, only if it is of that data set.

    Raises:
        DatasetError: it cannot be read, or is of another data set.
    """
    try:
        split = _SPLIT.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        reason = first_fault(error) if isinstance(error, ValidationError) else str(error)
        raise DatasetError(f"{path}: not a split ({reason}); write one with 'smearscope train split'") from error
    if fingerprint is not None and split.fingerprint != fingerprint:
        raise DatasetError(
            f"{path}: splits a data set of fingerprint {split.fingerprint[:12]}, this one has {fingerprint[:12]}; "
            "write the split again with 'smearscope train split'"
        )
    return split


@dataclass(frozen=True, slots=True)
class SplitData:
    """The fields of a data set with a stored split of them."""

    root: Path  # of the training data
    fields: Dataset
    split: NamedSplit
    groups: dict[str, str]  # file -> group of near-duplicates; empty without an audit

    def fold(self, number: int) -> Fold:
        """Return fold `number` of the split, counted from 0.

        Raises:
            DatasetError: there is none.
        """
        folds = self.split.folds
        if not 0 <= number < len(folds):
            raise DatasetError(f"split '{self.split.name}' has no fold {number}; it has {len(folds)}, counted from 0")
        return folds[number]

    def records(self, files: Sequence[str]) -> list[Record]:
        """Return the records of `files`, in the order of `files`."""
        known = {record.file: record for record in self.fields.records}
        return [known[file] for file in files]

    def groups_of(self, files: Sequence[str]) -> list[str]:
        """Return the group of each of `files`; a file that the audit does not name is its own group."""
        return [self.groups.get(file, file) for file in files]


def load_split_data(root: Path, folder: str, split: Path, audit: Path | None, quiet: bool = False) -> SplitData:
    """Read the fields of `root`/`folder`, their split and, if given, their audit.

    Raises:
        DatasetError: one of them cannot be read, or the split is of other data.
    """
    fields = read(root / folder, quiet)
    groups = {name: row.group for name, row in read_audit(audit).items()} if audit else {}
    return SplitData(root, fields, load(split, fields.fingerprint), groups)
