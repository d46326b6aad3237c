"""The USB sticks and other drives that can be taken away, where they are mounted."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

SYS = Path("/sys/class/block")


@dataclass(frozen=True, slots=True)
class Drive:
    """A mounted drive that can be written to."""

    path: Path
    label: str  # as its folder is called
    free_bytes: int


def _mounted() -> Iterable[tuple[str, str, str]]:
    return [(each.device, each.mountpoint, each.opts) for each in psutil.disk_partitions()]


def removable_drives(
    mounted: Callable[[], Iterable[tuple[str, str, str]]] = _mounted, sys: Path = SYS
) -> tuple[Drive, ...]:
    """Return the drives that `mounted` names by device, folder and options, if they are removable or on USB."""
    found = dict[str, Drive]()
    for device, folder, options in mounted():
        writable = "rw" in options.split(",") and os.access(folder, os.W_OK)
        if writable and _can_be_taken_away((sys / Path(device).name).resolve()):
            free = os.statvfs(folder)
            found.setdefault(device, Drive(Path(folder), Path(folder).name, free.f_bavail * free.f_frsize))
    return tuple(found.values())


def _can_be_taken_away(block: Path) -> bool:
    """Tell by the kernel's path of a disk or partition, such as /sys/devices/.../usb1/.../block/sda/sda1."""
    marks = (each / "removable" for each in (block, block.parent))  # a partition's disk is the folder above it
    on_usb = any(part.startswith("usb") for part in block.parts)
    return on_usb or any(mark.is_file() and mark.read_text().strip() == "1" for mark in marks)
