"""Room set aside on the disk: deleting records needs some itself, and a full disk has none."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from smear.errors import StoreError

RESERVE = ".reserve"
SECOND = ".reserve.2"  # empty: SQLite makes two files, and a disk may have room for no more of them
RESERVE_BYTES = 1_048_576  # giving up 32 photographs writes a tenth of it; opening the database 64 kB
_MODE = 0o640
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EINVAL, errno.EOPNOTSUPP, errno.EIO, errno.EROFS})

T = TypeVar("T")


class DiskReserve:
    """A file of zeros in the data folder, removed when the disk is full and made again when there is room."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / RESERVE
        self._second = folder / SECOND
        self._given_back = False

    def release(self) -> bool:
        """Give the room back to the disk; return False when there was none set aside."""
        try:
            self._path.unlink()
            self._second.unlink(missing_ok=True)
        except OSError:
            return False
        self._given_back = True
        return True

    def restore(self, free_bytes: int) -> None:
        """Set the room aside unless it is, or would take more than half of `free_bytes`."""
        if free_bytes >= 2 * RESERVE_BYTES and not self._path.exists():
            self._make()

    def put_back(self) -> None:
        """Set aside again what `release` has given back, if nobody else has taken it."""
        if self._given_back:
            self._given_back = False
            # A file system may need some of what it got back for itself.
            any(self._make(RESERVE_BYTES // part) for part in (1, 2, 4))

    def _make(self, size: int = RESERVE_BYTES) -> bool:
        """Set `size` bytes aside; return whether they were free."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._second.touch(_MODE)
            descriptor = os.open(self._path, flags, _MODE)
        except OSError:
            return False  # read-only, or made by another process at this moment
        try:
            os.posix_fallocate(descriptor, 0, size)
        except OSError as error:
            self._path.unlink(missing_ok=True)
            if error.errno not in _NO_ROOM:
                raise
            return False
        finally:
            os.close(descriptor)
        return True

    def spent_on(self, action: Callable[[], T], full: type[StoreError]) -> T:
        """Return what `action` returns; when it raises `full`, once more with the room given back."""
        try:
            return action()
        except full:
            if not self.release():
                raise
            return action()
