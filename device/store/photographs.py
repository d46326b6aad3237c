"""The photographs of a data folder: written, read and removed below it, whatever the database says their names are."""

import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from smear.errors import StoreError
from smear.images import encode
from smear.output_files import OutputFolder

PHOTOGRAPHS = "photographs"
SCREEN = "screen.png"  # what the display `png:` shows last: it is a picture of a field
_FILE_MODE = 0o640  # the owner writes, the service's group reads, others see nothing
_FOLDER_MODE = 0o750
_JPEG_QUALITY = 95  # at 95 the mask of a field changes less than by a second shot of it; 300 kB for 1.5 megapixels
_NAME = re.compile(rf"{PHOTOGRAPHS}/[0-9]{{1,19}}/[0-9A-Za-z_-]{{1,64}}\.jpg", re.ASCII)


def is_photograph(name: str) -> bool:
    """Return whether `name` is one that `Photographs.add` gives; any other one may lead out of the data folder."""
    return _NAME.fullmatch(name) is not None


class Photographs:
    """The photographs below one data folder. A name is a path below that folder, as the database keeps it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, slide_id: int, sequence: int, image: np.ndarray) -> str:
        """Write a photograph of RGB uint8 (H, W, 3); return its name when it is safe on the disk.

        Raises:
            StoreError: there is no room, or the disk failed.
            ImageError: `image` cannot be encoded.
        """
        name = f"{_of_slide(slide_id)}/{sequence:08d}-{secrets.token_hex(4)}.jpg"
        with OutputFolder(self._folder) as folder:
            folder.write(name, encode(image, ".jpg", _JPEG_QUALITY), mode=_FILE_MODE)
        return name

    def keep_others_out(self) -> None:
        """Take from the folder what other users may do there: an older version let them read the photographs.

        A folder of another user is left as it is.
        """
        folder = self._folder / PHOTOGRAPHS
        if folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid == os.geteuid():
            folder.chmod(folder.stat().st_mode & _FOLDER_MODE)

    def path(self, name: str | None) -> Path | None:
        """Return where the photograph is; None where there is none, or `name` is no photograph's."""
        return self._folder / name if name is not None and is_photograph(name) else None

    def read(self, name: str | None) -> bytes | None:
        """Return the photograph's JPEG; None where there is none, or `name` is no photograph's.

        Raises:
            StoreError: it is there and cannot be read.
        """
        if name is None or not is_photograph(name):
            return None
        with OutputFolder(self._folder) as folder:
            return folder.read(name)

    def remove(self, name: str) -> bool:
        """Remove a photograph; return False where it is there and cannot be removed.

        Nothing is done for a `name` that is no photograph's.
        """
        return self.remove_file(name) if is_photograph(name) else True

    def remove_file(self, name: str) -> bool:
        """Remove a file that `names` gave; return False where it is there and cannot be removed."""
        try:
            with OutputFolder(self._folder) as folder:
                folder.remove(name)
        except StoreError:
            return False
        return True

    def names(self, slide_id: int) -> Iterator[str]:
        """Yield the names of all files in the folder of a slide, unfinished ones included."""
        where = self._folder / _of_slide(slide_id)
        if where.is_dir() and not where.is_symlink():
            for path in where.iterdir():
                yield f"{_of_slide(slide_id)}/{path.name}"

    def remove_slide(self, slide_id: int) -> None:
        """Remove what is left of a slide: unfinished files, its folder, and the last picture of the screen.

        What cannot be removed is left.
        """
        try:
            with OutputFolder(self._folder) as folder:
                for name in self.names(slide_id):
                    folder.remove(name)
                folder.remove(SCREEN)
            (self._folder / _of_slide(slide_id)).rmdir()
        except (OSError, StoreError):
            return


def _of_slide(slide_id: int) -> str:
    return f"{PHOTOGRAPHS}/{slide_id:06d}"
