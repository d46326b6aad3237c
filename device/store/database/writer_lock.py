"""Who may add fields to a store: one process at a time, known by a file lock that ends with the process."""

import errno
import fcntl
import os
import pwd
import stat
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path

from device.store.database.reserve import DiskReserve
from smear.errors import StoreError
from smear.output_files import printable

LOCK = ".writer.lock"
_MODE = 0o660
_UNCLEAN = b"open"  # in the lock file while a writer has the store; found at the next opening: it was killed
_CLEAN = b"done"  # as long: it is written over the other, which needs no room on a full disk
_OTHER_HAS_IT = frozenset({errno.EWOULDBLOCK, errno.EACCES})


class Writer(Enum):
    """Who records into a store."""

    NOBODY = auto()
    ANOTHER = auto()
    UNKNOWN = auto()  # this user may not look, or the file system has no locks


class WriterLock:
    """The right to add fields to one store, given back when the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        """Take the lock.

        Raises:
            StoreError: another process has it, the folder cannot be written, or its file system has no locks.
        """
        where = f"store {printable(folder)}"
        path = folder / LOCK
        try:
            self._file: int | None = _open(path, os.O_RDWR | os.O_CREAT)
        except PermissionError as error:
            raise StoreError(f"{where}: {not_ours(path) or error.strerror}") from error
        except OSError as error:
            raise StoreError(f"{where}: {path.name}: {error.strerror}; give another folder with --data") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.left_unclean = os.pread(self._file, len(_UNCLEAN), 0) == _UNCLEAN
            DiskReserve(folder).spent_on(lambda: self._mark(_UNCLEAN, where), full=StoreError)
        except OSError as error:
            os.close(self._file)
            self._file = None
            if error.errno in _OTHER_HAS_IT:
                text = "another smearscope is recording into it; stop that one, or give another folder with --data"
            else:
                text = (
                    f"its file system cannot lock files ({error.strerror}); give a folder on another disk with --data"
                )
            raise StoreError(f"{where}: {text}") from None
        except StoreError:
            os.close(self._file)
            self._file = None
            raise

    def release(self) -> None:
        """Give the lock back and note that all was written; safe to call twice."""
        if self._file is not None:
            with suppress(StoreError):  # a disk that has become read-only: the next start reads the whole database once
                self._mark(_CLEAN, "")
            os.close(self._file)
            self._file = None

    def _mark(self, state: bytes, where: str) -> None:
        assert self._file is not None
        try:
            os.pwrite(self._file, state, 0)
            os.fsync(self._file)
        except OSError as error:
            raise StoreError(
                f"{where}: {error.strerror}; free some space, or give another folder with --data"
            ) from error


def writer_of(folder: Path) -> Writer:
    """Return who records into the store at `folder`."""
    try:
        file = _open(folder / LOCK, os.O_RDONLY)
    except FileNotFoundError:
        return Writer.NOBODY
    except OSError:
        return Writer.UNKNOWN
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return Writer.ANOTHER if error.errno in _OTHER_HAS_IT else Writer.UNKNOWN
    finally:
        os.close(file)
    return Writer.NOBODY


def not_ours(path: Path) -> str | None:
    """Return what to say of a file of another user that this one may not write; None where that is not so."""
    try:
        found = path.stat()
    except OSError:
        return None
    if os.access(path, os.R_OK | os.W_OK):
        return None
    owner, home = _owner(found.st_uid), _owner(path.parent.stat().st_uid)
    if owner == home:
        return f"{path.name} and its folder belong to {owner}; run it as {owner}, or give another folder with --data"
    return (
        f"{path.name} belongs to {owner}, perhaps since a command was run with sudo once; "
        f"give it back with: sudo chown -R {home}: {printable(path.parent)}"
    )


def _owner(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _open(path: Path, flags: int) -> int:
    file = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, _MODE)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(errno.EINVAL, "no regular file")
    return file
