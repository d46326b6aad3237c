"""The SQLite file of a data folder: opening, locking, migrating it, and what to do when it is full or damaged."""

from device.store.database.connection import (
    DATABASE,
    DamagedStoreError,
    Database,
    DiskFullError,
    check,
    open_database,
    open_for_reading,
)
from device.store.database.recovery import move_aside
from device.store.database.writer_lock import LOCK, Writer, WriterLock, not_ours, writer_of

__all__ = [
    "DATABASE",
    "LOCK",
    "DamagedStoreError",
    "Database",
    "DiskFullError",
    "Writer",
    "WriterLock",
    "check",
    "move_aside",
    "not_ours",
    "open_database",
    "open_for_reading",
    "writer_of",
]
