"""One open SQLite file: a commit survives a power cut, what is deleted is overwritten, and errors say what to do."""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

from device.store.database.reserve import DiskReserve
from device.store.database.schema import migrate
from smear.errors import StoreError
from smear.output_files import printable

DATABASE = "smearscope.sqlite3"
DAMAGED = "damaged"
FILE_MODE = 0o640
"""Of the database and the photographs: the owner writes, the service's group reads, others see nothing."""

_BUSY_CODES = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_DAMAGE_CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_ACCESS_CODES = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM})
# What a full disk looks like where SQLite cannot create or grow the file of its index (-shm).
_MAYBE_FULL_CODES = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})
_FULL_BELOW_BYTES = 64 * 1024  # SQLite grows its index by 32 kB
_NEW_FILES = 2  # the log and its index
_PRIMARY = 0xFF  # the low byte of an extended result code is the primary one
_CACHE_KIB = 512  # the system caches the file, twice is 2 MB too many

T = TypeVar("T")


class DamagedStoreError(StoreError):
    """The database file itself is broken; opening the store for writing moves it aside."""


class DiskFullError(StoreError):
    """There is no room for what was to be written."""


class Database:
    """One connection, which several threads may use; a thread waits while another one is inside a transaction."""

    def __init__(self, connection: sqlite3.Connection, folder: Path, reserve: DiskReserve) -> None:
        self.folder = folder
        self.reserve = reserve
        self._connection = connection
        self._lock = threading.RLock()

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """Return all rows of one question.

        Raises:
            StoreError: see `explained`.
        """
        with self._lock, explained(self.folder):
            return self._connection.execute(sql, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Do all that is inside, or nothing of it; when it ends without an error, it is safe on the disk.

        Raises:
            StoreError: see `explained`.
        """
        with self._lock, explained(self.folder):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Answer every question inside from the state at the first one, whatever other processes write meanwhile.

        A snapshot inside another is that one.
        """
        with self._lock, explained(self.folder):
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.execute("ROLLBACK")  # nothing was written: it only ends the reading

    def freeing(self, action: Callable[[], T]) -> T:
        """Do what will free room; on a full disk the reserve makes the room that this itself needs."""
        return self.reserve.spent_on(action, DiskFullError)

    def drop_log(self) -> None:
        """Move the write-ahead log into the database and empty it: it still holds what was deleted.

        While another process reads, the log stays until a later call.
        """
        with self._lock, explained(self.folder):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def copy_to(self, path: Path) -> None:
        """Copy the database, as it is at one moment, to a new file; others may write meanwhile.

        Raises:
            StoreError: it cannot be read, or the copy not be written.
        """
        with self._lock, closing(sqlite3.connect(path)) as copy:
            try:
                self._connection.backup(copy)
            except sqlite3.Error as error:
                where = f"{printable(self.folder)} to {printable(path.parent)}"
                raise StoreError(f"cannot copy the database of {where}: {error}; free some space there") from error

    def close(self) -> None:
        """Close the file, and set the reserve aside again if it was used; safe to call twice."""
        self._connection.close()
        self.reserve.put_back()


def open_database(folder: Path, busy_timeout_s: float) -> Database:
    """Open the database of `folder` for reading and writing, at the newest schema; it is made where there is none.

    Raises:
        StoreError: see `explained`.
    """
    reserve = DiskReserve(folder)
    return reserve.spent_on(lambda: Database(_connect(folder, busy_timeout_s), folder, reserve), DiskFullError)


def open_for_reading(folder: Path, busy_timeout_s: float, writable: bool = True) -> Database:
    """Open the database of `folder`; where this user may not write there, or not `writable`, only to read it.

    Raises:
        StoreError: see `explained`.
    """
    if writable and os.access(folder, os.W_OK) and os.access(folder / DATABASE, os.W_OK):
        return open_database(folder, busy_timeout_s)
    # Reading needs the log's index (-shm), which this user cannot make. Without a log nobody writes, and the file is
    # complete by itself: "immutable" reads it so.
    whole = "" if (folder / f"{DATABASE}-wal").exists() else "&immutable=1"
    address = (folder / DATABASE).absolute().as_uri() + "?mode=ro" + whole
    with explained(folder):
        connection = sqlite3.connect(
            address, uri=True, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False
        )
        try:
            _set_up_reading(connection)
            migrate(connection)  # refuses another version, as it cannot write
        except BaseException:
            connection.close()
            raise
        return Database(connection, folder, DiskReserve(folder))


def check(database: Database) -> None:
    """Read the whole database once.

    Raises:
        DamagedStoreError: something in it is broken.
    """
    found = database.rows("PRAGMA quick_check(1)")[0][0]
    if found != "ok":
        raise DamagedStoreError(f"store {database.folder}: the database is damaged ({found})")


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turn SQLite's errors into a `StoreError` that names `folder` and what to do.

    Raises:
        DamagedStoreError: the file is not a database, or broken inside.
        DiskFullError: there is no room.
        StoreError: locked, read-only, or anything else SQLite reports.
    """
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
        where = f"store {printable(folder)}: the database"
        if code in _BUSY_CODES:
            text = "is locked by another process; close the program that holds it and try again"
        elif code == sqlite3.SQLITE_FULL or (code in _MAYBE_FULL_CODES and _is_full(folder)):
            raise DiskFullError(
                f"{where} cannot grow, the disk is full; free some space, or give another folder with --data"
            ) from error
        elif code in _ACCESS_CODES:
            text = "may not be opened or written by this user; check its owner, or give another folder with --data"
        elif code in _DAMAGE_CODES:
            raise DamagedStoreError(
                f"{where} is damaged ({error}); the next 'smearscope run' moves it "
                f"to {printable(folder / DAMAGED)} and starts a new one"
            ) from error
        else:
            text = f"answered {error}; check the disk, or give another folder with --data"
        raise StoreError(f"{where} {text}") from error


def _is_full(folder: Path) -> bool:
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    no_more_files = found.f_files > 0 and found.f_favail < _NEW_FILES
    return found.f_bavail * found.f_frsize < _FULL_BELOW_BYTES or no_more_files


def _connect(folder: Path, busy_timeout_s: float) -> sqlite3.Connection:
    with explained(folder):
        _make_private(folder / DATABASE)
        connection = sqlite3.connect(
            folder / DATABASE, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False
        )
        try:
            _set_up_reading(connection)
            connection.execute("PRAGMA journal_mode = WAL")
            # FULL syncs the log at every commit: in WAL, NORMAL may lose acknowledged records in a power cut.
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA secure_delete = ON")  # deleted records are overwritten with zeros
            migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def _set_up_reading(connection: sqlite3.Connection) -> None:
    connection.row_factory = sqlite3.Row
    # A flipped bit in one text must not hide the page of records that it stands in.
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    connection.create_function("casefold", 1, lambda text: str(text).casefold(), deterministic=True)
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")


def _make_private(path: Path) -> None:
    """Create the file with its mode, or take from an older one what others may do; SQLite gives its log the same mode.

    A file of another user is left as it is.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, FILE_MODE)
    except OSError:
        return  # SQLite names what is wrong
    try:
        found = os.fstat(descriptor)
        if found.st_uid == os.geteuid() and found.st_mode & 0o777 & ~FILE_MODE:
            os.fchmod(descriptor, found.st_mode & FILE_MODE)
    finally:
        os.close(descriptor)
