"""What becomes of a data folder whose database is damaged: all of it is moved aside, nothing is deleted."""

from datetime import UTC, datetime
from pathlib import Path

from device.store.database.connection import DAMAGED, DATABASE
from device.store.photographs import PHOTOGRAPHS
from smear.output_files import sync_folder


def move_aside(folder: Path, wall_s: float) -> Path:
    """Move a damaged database, with the photographs it names, to a dated folder; return that."""
    stamp = datetime.fromtimestamp(wall_s, UTC).strftime("%Y%m%dT%H%M%SZ")
    aside, number = folder / DAMAGED / stamp, 1
    while aside.exists():
        number += 1
        aside = folder / DAMAGED / f"{stamp}-{number}"
    aside.mkdir(parents=True, mode=0o750)
    for name in (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", PHOTOGRAPHS):
        if (folder / name).exists():
            (folder / name).rename(aside / name)
    sync_folder(folder)
    return aside
