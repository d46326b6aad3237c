"""Verifies a backup, and makes a data folder of it again: of all that it holds, or of nothing."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import IO

from device.backup.manifest import Entry, Manifest
from device.backup.targets import Target
from smear.bundle.files import FileFault, checksum
from smear.errors import StoreError
from smear.output_files import OutputFolder, printable, sync_folder

Step = Callable[[str], None]
_FOLDER_MODE = 0o750  # as the store makes it


def restore(target: Target, manifest: Manifest, to: Path, step: Step = lambda name: None) -> list[str]:
    """Make the data folder `to` of a backup; return what is wrong with the backup: then nothing is made.

    Every file is compared with its checksum as it comes, and once more on the disk. The folder appears in one step.

    Raises:
        StoreError: `to` holds anything, or cannot be written.
    """
    to = to.absolute()
    incoming = to.parent / f".{to.name}.restoring"
    try:
        if to.is_symlink() or (to.exists() and not (to.is_dir() and not any(to.iterdir()))):
            raise StoreError(f"{printable(to)} is there and not empty; nothing is restored over it, give a new folder")
        if to.is_mount():  # it could not appear in one step
            raise StoreError(f"{printable(to)} is where a disk is mounted; give a folder in it")
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(incoming, ignore_errors=True)  # of a restore that was killed
        incoming.mkdir(mode=_FOLDER_MODE)
        faults = verify(target, manifest, step, incoming)
        for name, aim in manifest.links.items():
            (incoming / name).parent.mkdir(parents=True, exist_ok=True)  # one of links alone has no file to make it
            (incoming / name).symlink_to(aim)
        if not faults:
            sync_folder(incoming)
            incoming.rename(to)
            sync_folder(to.parent)
        return faults
    except OSError as error:
        raise StoreError(f"cannot restore to {printable(to)}: {error.strerror}; give another folder") from error
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


def verify(target: Target, manifest: Manifest, step: Step = lambda name: None, into: Path | None = None) -> list[str]:
    """Read every file of a backup and write it below `into`; return what is wrong, each with the file's name first."""
    faults = []
    for name, entry in manifest.files.items():
        if fault := _copied(target, entry, None) if into is None else _restored(target, entry, into, name):
            faults.append(f"{printable(name)} {fault}")
        step(name)
    return faults


def _restored(target: Target, entry: Entry, into: Path, name: str) -> str:
    with OutputFolder(into) as folder, folder.writing(name, mode=entry.mode | 0o600) as out:
        fault = _copied(target, entry, out)
    try:
        return fault or (
            "" if checksum(into / name, entry.bytes) == entry.sha256 else "does not read as it was written"
        )
    except FileFault as error:
        return str(error)


def _copied(target: Target, entry: Entry, out: IO[bytes] | None) -> str:
    """Read a file, write it to `out` and return what is wrong with it, "" for nothing."""
    digest, parts, part, size = hashlib.sha256(), target.read(entry.object), b"-", 0
    while part and size <= entry.bytes:
        try:
            part = next(parts, b"")
        except FileNotFoundError:
            return f"is missing ({entry.object})"
        except OSError as error:
            return f"cannot be read: {error.strerror} ({entry.object})"
        digest.update(part)
        size += len(part)
        if out is not None:
            out.write(part)
    return "" if digest.hexdigest() == entry.sha256 else f"does not match its checksum ({entry.object})"
