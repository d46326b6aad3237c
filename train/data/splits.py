"""Named, seeded divisions of the fields into train, validation and test, written once and used by every model."""

import csv
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.model_selection import StratifiedGroupKFold

from smear.classes import LABELS
from smear.errors import DatasetError, StoreError
from smear.images import write_atomic
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
    fingerprint: str  # of the data set it divides
    folds: tuple[Fold, ...]


@dataclass(frozen=True, slots=True)
class Kin:
    """What a field must not be parted from: the re-shots of it, and the session it was photographed in."""

    sha256: str
    group: str
    session: str  # "Benign-1": the first session of that class


def read_audit(path: Path) -> dict[str, Kin]:
    """Return the kin of every file in an audit's CSV.

    Raises:
        DatasetError: it cannot be read or lacks a column.
    """
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            return {row["file"]: Kin(row["sha256"], row["group"], row["session"]) for row in csv.DictReader(lines)}
    except (OSError, KeyError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: not an audit ({error}); write one with 'smearscope train audit'") from error


def make(name: str, data: Dataset, kin: Mapping[str, Kin], seed: int) -> NamedSplit:
    """Divide `data`; the same name, seed, files and audit give the same split. `paper` needs no `kin`.

    Raises:
        DatasetError: no split has that name, or the audit is of other files.
    """
    if name not in NAMES:
        raise DatasetError(f"no split is called {name!r}; choose one of {', '.join(NAMES)}")
    if name == "paper":
        return NamedSplit(name, seed, data.fingerprint, (_paper(data.records, seed),))
    strangers = [r.file for r in data.records if r.file not in kin or kin[r.file].sha256 != r.sha256]
    if strangers:
        raise DatasetError(
            f"{len(strangers)} of {len(data.records)} fields are not in the audit as they are now, "
            f"{strangers[0]} first; run 'smearscope train audit' on this folder again"
        )
    folds = (_grouped(data.records, kin, seed),) if name == "grouped" else _sessions(data.records, kin, seed)
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


def _grouped(records: Sequence[Record], kin: Mapping[str, Kin], seed: int) -> Fold:
    rest, test = _part(records, kin, seed)
    train, validation = _part(rest, kin, seed)
    return Fold(_names(train), _names(validation), _names(test))


def _sessions(records: Sequence[Record], kin: Mapping[str, Kin], seed: int) -> tuple[Fold, ...]:
    """Return one fold for each number k: session k of every class is the test; the rest is divided by groups."""
    numbers = sorted({_number(kin[r.file].session) for r in records})
    folds = []
    for number in numbers:
        test = [r for r in records if _number(kin[r.file].session) == number]
        missing = set(LABELS) - {r.label for r in test}
        if missing:
            raise DatasetError(
                f"session {number} has no field of {', '.join(sorted(missing))}; every class needs as many sessions: "
                "run 'smearscope train audit' again"
            )
        held_out = {r.file for r in test}
        train, validation = _part([r for r in records if r.file not in held_out], kin, seed)
        folds.append(Fold(_names(train), _names(validation), _names(test)))
    return tuple(folds)


def _part(records: Sequence[Record], kin: Mapping[str, Kin], seed: int) -> tuple[list[Record], list[Record]]:
    """Return about four fifths and one fifth of `records`: classes in proportion, groups whole."""
    labels = [r.label for r in records]
    groups = [kin[r.file].group for r in records]
    smallest = min(len({g for g, other in zip(groups, labels, strict=True) if other == label}) for label in set(labels))
    if smallest < PARTS:
        raise DatasetError(f"a class has only {smallest} groups of fields; at least {PARTS} are needed to divide it")
    parting = StratifiedGroupKFold(PARTS, shuffle=True, random_state=seed)
    large, small = next(parting.split(labels, labels, groups))
    return [records[i] for i in large], [records[i] for i in small]


def _number(session: str) -> int:
    return int(session.rpartition("-")[2])


def _names(records: Sequence[Record]) -> tuple[str, ...]:
    return tuple(r.file for r in records)


def save(split: NamedSplit, path: Path) -> None:
    """Write `split` to `path` as JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, (json.dumps(asdict(split), indent=1) + "\n").encode())


def load(path: Path, fingerprint: str | None = None) -> NamedSplit:
    """Read what `save` wrote; with `fingerprint`, only if it divides that data set.

    Raises:
        DatasetError: it cannot be read, or divides other data.
    """
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        folds = tuple(
            Fold(*(tuple(fold[part]) for part in ("train", "validation", "test"))) for fold in stored["folds"]
        )
        split = NamedSplit(stored["name"], stored["seed"], stored["fingerprint"], folds)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path}: not a split ({error}); write one with 'smearscope train split'") from error
    if fingerprint is not None and split.fingerprint != fingerprint:
        raise DatasetError(
            f"{path}: divides a data set of fingerprint {split.fingerprint[:12]}, this one has {fingerprint[:12]}; "
            "write the split anew with 'smearscope train split'"
        )
    return split


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--name", type=click.Choice(NAMES), required=True, help="How to divide.")
@click.option("--audit", type=click.Path(path_type=Path), help="CSV of 'smearscope train audit'; not for paper.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="JSON file to write.")
@click.option("--seed", default=0, show_default=True)
def command(folder: Path, name: str, audit: Path | None, out: Path, seed: int) -> None:
    """Divide the fields of FOLDER into train, validation and test.

    paper: at random in the proportions of Reza et al., so re-shots of one field land on both sides. grouped: re-shots
    stay together. session: one stain session of every class is held out, in turn.
    """
    if name != "paper" and audit is None:
        raise click.UsageError(f"--name {name} needs --audit, the CSV that 'smearscope train audit' writes")
    data = read(folder)
    split = make(name, data, read_audit(audit) if audit else {}, seed)
    try:
        save(split, out)
    except OSError as error:
        raise StoreError(f"cannot write {out}: {error.strerror}; choose another folder") from error
    table = Table(title=f"{name}, seed {seed}, data {split.fingerprint[:12]}")
    for column in ("Fold", "Part", *LABELS, "Total"):
        table.add_column(column)
    for number, fold in enumerate(split.folds, 1):
        for part, files in asdict(fold).items():
            counts = Counter(file.split("/")[0] for file in files)
            table.add_row(str(number), part, *(str(counts[label]) for label in LABELS), str(len(files)))
    Console().print(table)
    for skipped in data.skipped:
        click.echo(f"skipped: {skipped}", err=True)
    click.echo(f"wrote {out}")
