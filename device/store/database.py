"""Opening the store's SQLite file so that a commit survives a power cut, and naming what goes wrong with it."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from device.store.schema import migrate
from smear.errors import StoreError

DATABASE = "smearscope.sqlite3"
PHOTOGRAPHS = "photographs"
DAMAGED = "damaged"
_LOCK = ".writer.lock"
_UNCLEAN = b"open"  # in the lock file while a writer has the store; found at the next opening: it was killed
_BUSY_CODES = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_DAMAGE_CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_PRIMARY = 0xFF  # the low byte of an extended result code is the primary one


class DamagedStoreError(StoreError):
    """The database file itself is broken; opening the store for writing moves it aside."""


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turn SQLite's errors into a `StoreError` that names `folder` and what to do.

    Raises:
        DamagedStoreError: the file is not a database, or broken inside.
        StoreError: locked, full, read-only, or anything else SQLite reports.
    """
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
        if code in _BUSY_CODES:
            text = "is locked by another process; close the program that holds it and try again"
        elif code == sqlite3.SQLITE_FULL:
            text = "cannot grow, the disk is full; free some space, or give another folder with --data"
        elif code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}:
            text = "may not be opened or written by this user; check its owner, or give another folder with --data"
        elif code in _DAMAGE_CODES:
            raise DamagedStoreError(
                f"store {folder}: the database is damaged ({error}); the next 'smearscope run' moves it "
                f"to {folder / DAMAGED} and starts a new one"
            ) from error
        else:
            text = f"answered {error}; check the disk, or give another folder with --data"
        raise StoreError(f"store {folder}: the database {text}") from error


def connect(folder: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """Return a connection in WAL with full synchronisation, at the newest schema.

    Raises:
        StoreError: see `explained`.
    """
    with explained(folder):
        connection = sqlite3.connect(
            folder / DATABASE, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False
        )
        try:
            connection.row_factory = sqlite3.Row
            # A flipped bit in one text must not hide the page of records that it stands in.
            connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
            connection.execute("PRAGMA journal_mode = WAL")
            # FULL syncs the log at every commit: in WAL, NORMAL may lose acknowledged records in a power cut.
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA cache_size = -512")  # KiB; the system caches the file, twice is 2 MB too many
            migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def check(connection: sqlite3.Connection, folder: Path) -> None:
    """Read the whole database once.

    Raises:
        DamagedStoreError: something in it is broken.
    """
    with explained(folder):
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise DamagedStoreError(f"store {folder}: the database is damaged ({found})")


def move_aside(folder: Path, wall_s: float) -> Path:
    """Move a damaged database, with the photographs it names, to a dated folder; nothing is deleted."""
    stamp = datetime.fromtimestamp(wall_s, UTC).strftime("%Y%m%dT%H%M%SZ")
    aside, number = folder / DAMAGED / stamp, 1
    while aside.exists():
        number += 1
        aside = folder / DAMAGED / f"{stamp}-{number}"
    aside.mkdir(parents=True)
    for name in (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", PHOTOGRAPHS):
        if (folder / name).exists():
            (folder / name).rename(aside / name)
    sync_folder(folder)
    return aside


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class WriterLock:
    """The right to add fields to one store: one process at a time, given back when it ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        """Take the lock.

        Raises:
            StoreError: another process has it, or the folder cannot be written.
        """
        try:
            self._file: int | None = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
        except OSError as error:
            raise StoreError(f"store {folder}: {error.strerror}; give another folder with --data") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            self._file = None
            raise StoreError(
                f"store {folder}: another smearscope is recording into it; stop that one, "
                "or give another folder with --data"
            ) from None
        self.left_unclean = os.read(self._file, len(_UNCLEAN)) == _UNCLEAN
        self._write(_UNCLEAN)

    def release(self) -> None:
        """Give the lock back and note that all was written; safe to call twice."""
        if self._file is not None:
            self._write(b"")
            os.close(self._file)
            self._file = None

    def _write(self, data: bytes) -> None:
        assert self._file is not None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, data, 0)
        os.fsync(self._file)


def writer_is_alive(folder: Path) -> bool:
    """Tell whether a process is recording into the store at `folder`."""
    try:
        with (folder / _LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
