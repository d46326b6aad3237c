"""Fields that people reviewed on a device, as `smearscope slides export --format training` writes them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from smear.classes import LABELS
from smear.errors import DatasetError
from smear.images import digest_of, list_images

_EXPORTED = re.compile(r"(?P<slide>.+-\d{6})-\d{8}")  # device, slide, field


@dataclass(frozen=True, slots=True)
class ReviewedField:
    """One photograph with the class that a person gave it."""

    path: Path
    label: str
    slide: str  # shared by the fields of one slide, as far as the name tells; else the field's own name
    sha256: str  # of the photograph's file


def read_reviewed(folder: Path, least: int) -> list[ReviewedField]:
    """Return the fields below `folder`, or its Original/, sorted by class and name.

    Raises:
        DatasetError: fewer than two classes have fields, or one of them fewer than `least`; a folder is no class; one
            photograph has two.
    """
    root = folder / "Original" if (folder / "Original").is_dir() else folder
    for part in sorted(root.iterdir()):
        if part.is_dir() and part.name not in LABELS and not part.name.startswith("."):
            raise DatasetError(f"{part}: no class has that name; use {', '.join(LABELS)}, or move it elsewhere")
    found = [
        ReviewedField(path, label, slide_of(path.stem) or path.stem, digest_of(path))
        for label in LABELS if (root / label).is_dir() for path in list_images(root / label)
    ]  # fmt: skip
    require_enough(found, least, f"in {folder}")
    labels: dict[str, str] = {}
    for field in found:
        if labels.setdefault(field.sha256, field.label) != field.label:
            raise DatasetError(f"{field.path}: the same file lies in another class too; keep one of them")
    return found


def require_enough(fields: Sequence[ReviewedField], least: int, where: str) -> None:
    """Check that there are fields of at least two classes, and `least` of each.

    Raises:
        DatasetError: there are not; `where` is for its message.
    """
    counts = {label: sum(each.label == label for each in fields) for label in LABELS}
    present = [label for label, count in counts.items() if count]
    if len(present) < 2:
        raise DatasetError(
            f"reviewed fields of {' and '.join(present) or 'no class'} alone {where}; review fields of at least two "
            "classes and export them: smearscope slides export --format training --out FOLDER"
        )
    few = [f"{least - counts[label]} more of {label}" for label in present if counts[label] < least]
    if few:
        raise DatasetError(f"too few reviewed fields {where}; review {', '.join(few)}")


def slide_of(name: str) -> str | None:
    """Return the device and slide of a field that a device exported, by its name without suffix; None: of no device."""
    found = _EXPORTED.fullmatch(name)
    return found["slide"] if found else None
