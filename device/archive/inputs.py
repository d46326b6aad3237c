"""What the paths of a command line come to: pictures one by one, never all names at once."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from device.archive.examiner import PictureTask
from device.reporting.analysis_outputs import AnalysisOutputs, output_names
from smear.errors import ImageError
from smear.images import IMAGE_SUFFIXES, walk_pictures
from smear.images.urls import is_url, walk_url
from smear.output_files import printable


@dataclass(slots=True)
class Inputs:
    """Files, folders and URLs, and what was met while going through them."""

    paths: Sequence[str]
    count: int = 0  # pictures so far
    passed_over: Counter[str] = field(default_factory=Counter)  # by kind
    unreadable: list[str] = field(default_factory=list)  # a sentence for each folder that cannot be opened

    def require_pictures(self) -> None:
        """Refuse now, before hours of work, a folder without a picture.

        Raises:
            ImageError: there is one.
        """
        for path in self.paths:
            if not path:  # of a script's variable that is not set; pathlib would take it for the working directory
                raise ImageError("an empty path; give a file or a folder")
            unreadable: list[str] = []
            if next(_pictures(path, Counter(), unreadable), None) is None and not unreadable:
                raise ImageError(
                    f"{printable(path)}: no picture in this folder; "
                    "give a folder with JPEG, PNG, BMP, TIFF or WebP files"
                )

    def number(self) -> int:
        """Return how many pictures there are, for which all folders are gone through once more."""
        return sum(1 for path in self.paths for _ in _pictures(path, Counter(), []))

    def tasks(self) -> Iterator[PictureTask]:
        """Yield the pictures in the order given."""
        for path in self.paths:
            for picture in _pictures(path, self.passed_over, self.unreadable):
                yield PictureTask(picture, self.count)
                self.count += 1

    def tasks_with_outputs(self, masks: Path | None, overlays: Path | None) -> Iterator[PictureTask]:
        """Yield the pictures with the names of their masks and overlays, for which all are listed first.

        Raises:
            StoreError: an output would replace a file that this program did not make.
        """
        found = list(self.tasks())
        names = output_names([Path(task.path) for task in found])
        with AnalysisOutputs(masks, overlays) as outputs:
            outputs.require_free(names)
        return (PictureTask(task.path, task.number, name) for task, name in zip(found, names, strict=True))


def _pictures(path: str, passed_over: Counter[str], unreadable: list[str]) -> Iterator[Path | str]:
    if is_url(path):
        for url in walk_url(path, unreadable):
            suffix = Path(url).suffix.lower()
            if url == path or suffix in IMAGE_SUFFIXES:
                yield url
            else:
                passed_over[suffix or "without a suffix"] += 1
    elif os.path.isdir(path):  # noqa: PTH112 - pathlib's raises where it cannot know
        yield from walk_pictures(Path(path), passed_over, unreadable)
    else:
        yield Path(path)
