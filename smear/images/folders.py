"""The pictures below a folder: which files are examined, and which are passed over and why."""

import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from smear.errors import ImageError
from smear.images.reader import IMAGE_SUFFIXES
from smear.images.writer import is_own_output_file
from smear.output_files import printable

OWN_OUTPUT = "masks and overlays of this program"
FOLDER_LINKS, NO_FILES = "links to folders", "pipes, sockets and devices"
SORTED_ENTRIES = 4096  # of one folder; a flat archive of millions cannot be sorted without holding its names


@dataclass(frozen=True, slots=True)
class PictureFolder:
    """What lies below one folder."""

    pictures: tuple[Path, ...]  # sorted by path
    passed_over: dict[str, int]  # by kind: a suffix such as ".heic", "without a suffix", or one of the above
    unreadable: tuple[str, ...]  # a sentence for each folder that could not be opened


def look_through(folder: Path) -> PictureFolder:
    """Return what lies below `folder`; see `walk_pictures`."""
    passed_over: Counter[str] = Counter()
    unreadable: list[str] = []
    pictures = sorted(walk_pictures(folder, passed_over, unreadable))
    return PictureFolder(tuple(pictures), dict(sorted(passed_over.items())), tuple(sorted(unreadable)))


def walk_pictures(folder: Path, passed_over: Counter[str], unreadable: list[str]) -> Iterator[Path]:
    """Yield each picture below `folder`, sorted by path, and note by kind what is passed over, and what is unreadable.

    Hidden files and folders are left out without a word: trash, checkpoints of notebooks, and the `._NAME.jpg` that
    macOS lays beside each file on a foreign disk. Symbolic links to files are followed, those to folders are not;
    one that leads nowhere is yielded, for whoever reads it to say so.
    A folder of more than `SORTED_ENTRIES` comes in the order of its file system: its names never stand in memory.
    """
    open_folders = [_entries(folder, unreadable)]
    while open_folders:
        entry = next(open_folders[-1], None)
        if entry is None:
            open_folders.pop()
        elif entry.name.startswith("."):
            continue
        elif entry.is_dir(follow_symlinks=False):
            open_folders.append(_entries(Path(entry.path), unreadable))
        elif kind := _passed_over_as(path := Path(entry.path)):
            passed_over[kind] += 1
        else:
            yield path


def _passed_over_as(path: Path) -> str:
    """Return the kind of file that `path` is, empty for a picture."""
    try:
        mode = path.stat().st_mode
    except OSError:  # a link to a picture that is not there or not to be read: whoever reads it says so
        mode = stat.S_IFREG
    if stat.S_ISDIR(mode):
        return FOLDER_LINKS
    suffix = path.suffix.lower()
    if suffix not in IMAGE_SUFFIXES:
        return suffix or "without a suffix"
    if not stat.S_ISREG(mode):
        return NO_FILES
    return OWN_OUTPUT if suffix == ".png" and is_own_output_file(path) else ""


def _entries(folder: Path, unreadable: list[str]) -> "Iterator[os.DirEntry[str]]":
    try:
        with os.scandir(folder) as found:
            first = list(islice(found, SORTED_ENTRIES))
            if len(first) < SORTED_ENTRIES:
                first.sort(key=lambda entry: entry.name)
            while first:
                yield from first
                first = list(islice(found, SORTED_ENTRIES))
    except OSError as error:
        unreadable.append(f"{printable(folder)}: this folder cannot be opened ({error.strerror}); "
                          "give yourself permission to read it")  # fmt: skip


def list_images(folder: Path) -> list[Path]:
    """Return every picture below `folder`, sorted by path.

    Raises:
        ImageError: a folder below it cannot be opened.
    """
    found = look_through(folder)
    for sentence in found.unreadable:
        raise ImageError(sentence)
    return list(found.pictures)
