"""The folder of labelled fields, read once, with a fingerprint that every split and run carries."""

import csv
import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from smear.classes import LABELS
from smear.errors import DatasetError, ImageError
from smear.images import digest_of, list_images, read_image
from smear.progress import progress

FULL_SET = {"Benign": 504, "Early": 985, "Pre": 963, "Pro": 804}  # Aria et al. (2021), 3256 fields


@dataclass(frozen=True, slots=True)
class Record:
    """One readable field."""

    file: str  # relative to the folder of the classes, "Benign/WBC-Benign-001.jpg": its name in all results
    label: str
    path: Path
    sha256: str  # of the file's bytes


@dataclass(frozen=True, slots=True)
class Dataset:
    """The readable fields of a folder; `skipped` holds one sentence on each picture that cannot be read."""

    root: Path
    records: tuple[Record, ...]  # sorted by file
    skipped: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """sha256 over the sorted sha256 of all records: equal for equal pictures, wherever they are stored."""
        return hashlib.sha256("".join(sorted(r.sha256 for r in self.records)).encode()).hexdigest()

    def counts(self) -> dict[str, int]:
        """Return the number of readable fields of each class."""
        found = Counter(r.label for r in self.records)
        return {label: found[label] for label in LABELS}


def class_root(folder: Path) -> Path:
    """Return the folder that holds one folder per class: `folder` itself or its Original/.

    Raises:
        DatasetError: neither holds all four classes.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder; fetch the data with 'smearscope train fetch'")
    for root in (folder / "Original", folder):
        if all((root / label).is_dir() for label in LABELS):
            return root
    here = sorted(p.name for p in folder.iterdir() if p.is_dir())
    raise DatasetError(
        f"{folder}: expected the folders {', '.join(LABELS)} in it or in its Original/, "
        f"found {', '.join(here[:8]) or 'no folders'}; add or rename folders, or give the one above them"
    )


def read(folder: Path, quiet: bool = False) -> Dataset:
    """Return every field below `folder`, each opened once to check that it can be read.

    Raises:
        DatasetError: the layout is wrong, or a class has no readable picture.
    """
    root = class_root(folder)
    files = [(label, path) for label in LABELS for path in list_images(root / label)]
    records, skipped = [], []
    for label, path in progress(files, "Reading fields", quiet):
        try:
            read_image(path)
            sha256 = digest_of(path)
        except (ImageError, OSError) as error:
            skipped.append(str(error))
            continue
        records.append(Record(path.relative_to(root).as_posix(), label, path, sha256))
    found = Dataset(root, tuple(sorted(records, key=lambda r: r.file)), tuple(skipped))
    empty = [label for label, count in found.counts().items() if not count]
    if empty:
        raise DatasetError(f"{root}: no readable picture in {', '.join(empty)}; put its pictures there")
    return found


def masked_files(folder: Path) -> tuple[str, ...]:
    """Return the fields that have a mask drawn by hand, as `folder`/index.csv lists them.

    Raises:
        DatasetError: there is no such list.
    """
    try:
        with (folder / "index.csv").open(newline="", encoding="utf-8") as lines:
            return tuple(sorted(row["file"] for row in csv.DictReader(lines)))
    except (OSError, KeyError) as error:
        raise DatasetError(f"{folder}/index.csv: no list of masks ({error}); give the folder of the masks") from error


def read_as_rgb(path: Path) -> NDArray[np.uint8]:
    """Return the picture at `path` as RGB uint8 (H, W, 3), whatever its mode.

    A device refuses some for their format, such as those with an alpha channel; here their content is in question.
    """
    with Image.open(path) as picture:
        return np.array(picture.convert("RGB"))


def found_below(folder: Path, what: str, advice: str) -> list[Path]:
    """Return the pictures below `folder`.

    Raises:
        DatasetError: there are none; it names `what` they show and gives `advice`.
    """
    found = list_images(folder) if folder.is_dir() else []
    if not found:
        raise DatasetError(f"{folder}: no pictures of '{what}'; {advice}")
    return found
