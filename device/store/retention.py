"""Keeping room on the disk: the oldest go first, and never what a person marked."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

MEGABYTE = 1_000_000
DAY_S = 86_400.0


def free_bytes_of(folder: Path) -> int:
    """Return the bytes that an ordinary user may still write on the disk of `folder`."""
    return shutil.disk_usage(folder).free


@dataclass(frozen=True, slots=True)
class Retention:
    """How much of the disk the store leaves free, and how long it remembers."""

    min_free_bytes: int = 500 * MEGABYTE  # what the system needs to log, update and be logged in to
    max_age_days: float | None = None  # None: records are kept until a person deletes them
    remove_oldest: bool = True  # False: when there is no room, recording stops instead
    free_bytes: Callable[[Path], int] = free_bytes_of
