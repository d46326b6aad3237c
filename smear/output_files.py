"""The one door for files that are written: below a folder's descriptor, regular files only, whole or not at all."""

import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from types import TracebackType
from typing import IO

from smear.errors import StoreError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NO_FOLDER_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP, errno.ENOSYS})  # FAT on some kernels, FUSE, network shares
_NO_LOCKS = frozenset({errno.EBADF, errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL})  # network shares, FUSE
_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
_MODE = 0o666  # before the umask

Replaceable = Callable[[bytes], bool]
"""Tells from the first `HEAD_BYTES` of an existing file whether it may be replaced."""
HEAD_BYTES = 4096


def printable(path: PurePath | str) -> str:
    r"""Return `path` as text that any terminal, JSON reader and database takes.

    Bytes that are no UTF-8 and control characters become escapes such as `\xfc` and `\x1b`.
    """
    text = str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class OutputFolder:
    """A folder below which files are written; nothing that lies in it, such as a symbolic link, leads out of it."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        """Open `path`, which may itself be reached by symbolic links: whoever named it chose it.

        Raises:
            StoreError: there is no such folder, or it cannot be made.
        """
        self.path = path
        try:
            if create:
                path.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, _FOLDER)
        except (OSError, ValueError) as error:
            doing = "make" if create else "write into"
            raise StoreError(f"cannot {doing} {printable(path)}: {_reason(error)}; {_advice(error)}") from error

    def __enter__(self) -> "OutputFolder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the descriptor back; safe to call twice."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let one process and thread at a time change what is in the folder; the lock goes with them, however they end.

        Without locks, as on some network shares, each file is still written whole.
        """
        lock = os.open(".", _FOLDER, dir_fd=self._descriptor)  # its own: descriptors that are copies share a lock
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
            yield
        finally:
            os.close(lock)

    def check(self, name: PurePath | str, may_replace: Replaceable | None = None) -> None:
        """Refuse now what `write` would refuse, without making anything.

        Raises:
            StoreError: as `write`, but for a full disk.
        """
        try:
            with self._inside(name) as (parent, last):
                self._require_regular(parent, last, name, may_replace)
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._cannot(name, error) from error

    def write(
        self, name: PurePath | str, data: bytes, may_replace: Replaceable | None = None, mode: int = _MODE
    ) -> None:
        """Write `data` to `name`; see `writing`."""
        with self.writing(name, may_replace, mode) as file:
            file.write(data)

    @contextmanager
    def writing(
        self, name: PurePath | str, may_replace: Replaceable | None = None, mode: int = _MODE
    ) -> Iterator[IO[bytes]]:
        """Open `name`, a relative path whose folders are made where they are missing, to be written from its beginning.

        The file appears by write, fsync, rename and fsync of its folder: a power cut leaves the old one or the new one.
        The umask takes from `mode`; folders that are made get the same with the right to enter.

        Raises:
            StoreError: the disk is full or read-only; `name` leads out of the folder or over a symbolic link; or it is
                there and no regular file, or one that `may_replace` refuses.
        """
        part = f".{os.getpid()}-{secrets.token_hex(8)}.part"  # without `last`, which may be as long as names can be
        try:
            with self._inside(name, mode) as (parent, last):
                self._require_regular(parent, last, name, may_replace)
                try:
                    with _new_file(parent, part, mode) as file:
                        yield file
                        file.flush()
                        os.fsync(file.fileno())
                    os.rename(part, last, src_dir_fd=parent, dst_dir_fd=parent)
                except BaseException:
                    _remove(parent, part)
                    raise
                _sync_folder(parent)
        except OSError as error:
            raise self._cannot(name, error) from error

    def read(self, name: PurePath | str) -> bytes | None:
        """Return what is in the regular file `name`; None where there is none, or a symbolic link on the way.

        Raises:
            StoreError: `name` leads out of the folder, or the file cannot be read.
        """
        try:
            with self._inside(name) as (parent, last):
                descriptor = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
                with os.fdopen(descriptor, "rb") as file:
                    return file.read() if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
        except OSError as error:
            if error.errno in _NOT_THERE:
                return None
            raise StoreError(f"cannot read {printable(self.path / name)}: {_reason(error)}") from error

    def remove(self, name: PurePath | str) -> bool:
        """Remove the file `name`, or the symbolic link that stands there; return False where there is none.

        Raises:
            StoreError: `name` leads out of the folder, or the file cannot be removed.
        """
        try:
            with self._inside(name) as (parent, last):
                os.unlink(last, dir_fd=parent)
        except OSError as error:
            if error.errno in _NOT_THERE:
                return False
            raise StoreError(f"cannot remove {printable(self.path / name)}: {_reason(error)}") from error
        return True

    @contextmanager
    def _inside(self, name: PurePath | str, make: int | None = None) -> Iterator[tuple[int, str]]:
        """Give a descriptor of the folder of `name`, and the last part of `name`.

        Folders that are missing are made for files of the mode `make`; None: none is made.
        """
        *folders, last = self._parts(name)
        parent = os.dup(self._descriptor)
        try:
            for folder in folders:
                if make is not None:
                    _make_folder(parent, folder, make)
                inner = os.open(folder, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)
                os.close(parent)
                parent = inner
            yield parent, last
        finally:
            os.close(parent)

    def _parts(self, name: PurePath | str) -> tuple[str, ...]:
        parts = PurePath(name).parts
        if not parts or PurePath(name).is_absolute() or ".." in parts or any("\0" in part for part in parts):
            raise StoreError(f"{printable(name)!r} leads out of {printable(self.path)}; nothing is written there")
        return parts

    def _require_regular(self, parent: int, last: str, name: PurePath | str, may_replace: Replaceable | None) -> None:
        try:
            found = os.stat(last, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return
        where = printable(self.path / name)
        if not stat.S_ISREG(found.st_mode):
            kind = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "no regular file"
            raise StoreError(f"{where} is {kind} and is not replaced; choose another name")
        if may_replace is None:
            return
        file = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
        try:
            head = os.read(file, HEAD_BYTES)
        finally:
            os.close(file)
        if not may_replace(head):
            raise StoreError(f"{where} was not written by smearscope and is not replaced; choose another folder")

    def _cannot(self, name: PurePath | str, error: OSError) -> StoreError:
        where = printable(self.path / name)
        if error.errno in {errno.ELOOP, errno.ENOTDIR}:
            return StoreError(f"cannot write {where}: a folder on the way is a symbolic link or a file; choose another")
        return StoreError(f"cannot write {where}: {_reason(error)}; {_advice(error)}")


def write_atomic(path: Path, data: bytes, mode: int = _MODE) -> None:
    """Write `data` to `path` in a folder that exists; see `OutputFolder.write`.

    Raises:
        StoreError: the disk is full or read-only, the folder is missing, or `path` is there and no regular file.
    """
    with OutputFolder(path.parent) as folder:
        folder.write(path.name, data, mode=mode)


def sync_folder(path: Path) -> None:
    """Make the names in `path` survive a power cut, where the file system can do that."""
    descriptor = os.open(path, _FOLDER)
    try:
        _sync_folder(descriptor)
    finally:
        os.close(descriptor)


def _make_folder(parent: int, folder: str, mode: int) -> None:
    """Make `folder` in `parent` where it is missing."""
    try:
        os.mkdir(folder, mode | (mode & 0o444) >> 2, dir_fd=parent)
    except FileExistsError:
        return
    _sync_folder(parent)


def _new_file(parent: int, name: str, mode: int) -> IO[bytes]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(name, flags, mode, dir_fd=parent), "wb")


def _sync_folder(folder: int) -> None:
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise


def _remove(parent: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=parent)
    except OSError as error:
        if error.errno not in {errno.ENOENT, errno.EROFS}:
            raise


def _advice(error: OSError | ValueError) -> str:
    """Return what to do about `error`: only a full disk is helped by free space."""
    full, missing = {errno.ENOSPC, errno.EDQUOT}, {errno.ENOENT}
    code = error.errno if isinstance(error, OSError) else None
    first = "free some space or " if code in full else "make it or " if code in missing else ""
    return f"{first}choose another folder"


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
