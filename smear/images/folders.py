"""The pictures below a folder: which files are examined, and which are passed over and why."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from smear.errors import ImageError
from smear.images.reader import IMAGE_SUFFIXES
from smear.images.writer import is_own_output_file
from smear.output_files import printable

OWN_OUTPUT = "masks and overlays of this program"


@dataclass(frozen=True, slots=True)
class PictureFolder:
    """What lies below one folder."""

    pictures: tuple[Path, ...]  # sorted by path
    passed_over: dict[str, int]  # by kind: a suffix such as ".heic", "without a suffix", or `OWN_OUTPUT`
    unreadable: tuple[str, ...]  # a sentence for each folder that could not be opened


def look_through(folder: Path) -> PictureFolder:
    """Return what lies below `folder`.

    Hidden files and folders are left out without a word: trash, checkpoints of notebooks, and the `._NAME.jpg` that
    macOS lays beside each file on a foreign disk. Symbolic links to files are followed, those to folders are not.
    """
    pictures: list[Path] = []
    passed_over: Counter[str] = Counter()
    unreadable: list[str] = []

    def note(error: OSError) -> None:
        unreadable.append(f"{printable(error.filename)}: this folder cannot be opened ({error.strerror}); "
                          "give yourself permission to read it")  # fmt: skip

    for parent, folders, names in os.walk(folder, onerror=note):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(parent, name)
            if name.startswith(".") or not path.is_file():
                continue
            kind = path.suffix.lower()
            if kind not in IMAGE_SUFFIXES:
                passed_over[kind or "without a suffix"] += 1
            elif kind == ".png" and is_own_output_file(path):
                passed_over[OWN_OUTPUT] += 1
            else:
                pictures.append(path)
    return PictureFolder(tuple(sorted(pictures)), dict(sorted(passed_over.items())), tuple(sorted(unreadable)))


def list_images(folder: Path) -> list[Path]:
    """Return every picture below `folder`, sorted by path.

    Raises:
        ImageError: a folder below it cannot be opened.
    """
    found = look_through(folder)
    for sentence in found.unreadable:
        raise ImageError(sentence)
    return list(found.pictures)
