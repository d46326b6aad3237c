"""Takes a backup of a data folder while the device records into it; what was copied once is never copied again."""

import errno
import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from device.backup.manifest import Entry, Manifest, backup_ids, read_manifest, write_manifest
from device.backup.targets import SCRATCH, Target
from device.exports.base import device_id
from device.store import DamagedStoreError, Store
from device.store.database import DATABASE
from device.store.database.connection import FILE_MODE
from device.store.photographs import PHOTOGRAPHS, SCREEN
from device.system.clock import Clock
from smear import __version__
from smear.errors import StoreError
from smear.output_files import printable, write_atomic

SETTINGS = "settings-of-the-backup.toml"
"""The settings file, which lies outside of the data folder, by its name in a backup and in a restored folder."""
LAST = ".last-backup"
"""Names the last backup, in the data folder."""
_IN_MEMORY = 64_000_000  # bytes: larger are the database's copy and models, which do not change under their name
_ROUNDS = 20  # each copies only what the one before had not: on a device that removes photographs it takes two or three

Step = Callable[[str], None]
"""Called with the name of each file when it is safe."""


@dataclass(frozen=True, slots=True)
class BackedUp:
    """What a backup did."""

    id: str
    manifest: Manifest
    copied: int  # files that the target did not have
    copied_bytes: int


def back_up(
    data: Path, target: Target, settings: Path | None, clock: Clock, step: Step = lambda name: None
) -> BackedUp:
    """Back up the data folder and the settings file.

    The records are those of one moment, and the photographs are all that these name. Killed at any point, it goes on
    with the next call; until the manifest is written there is no backup.

    Raises:
        StoreError: there is no store, it is damaged, or something cannot be read or written.
    """
    if target.scratch.resolve().is_relative_to(data.resolve()):
        raise StoreError(f"{target.name} lies in the data folder {printable(data)}; give a folder on another disk")
    with Store.read(data) as store, _scratch(target) as scratch:
        run, snapshot = _Run(store, target, step), Path(scratch) / DATABASE
        moment = run.keep_records(snapshot, clock)
        run.keep(DATABASE, snapshot)
        links = run.keep_others(data)
        if settings is not None:
            run.keep_file(SETTINGS, settings)
        manifest = Manifest(
            smearscope=__version__, device=device_id(store), moment=moment, files=run.files, links=links,
            missing=tuple(sorted(run.gone)),
        )  # fmt: skip
    done = BackedUp(write_manifest(target, manifest), manifest, run.copied, run.copied_bytes)
    with suppress(StoreError):  # of a user who may only read: 'smearscope doctor' does not know of it then
        write_atomic(data / LAST, f"{done.id} in {target.name}\n".encode())
    return done


def _scratch(target: Target) -> TemporaryDirectory[str]:
    try:
        return TemporaryDirectory(prefix=SCRATCH, dir=target.scratch)
    except OSError as error:
        where = printable(target.scratch)
        raise StoreError(f"cannot write into {where}: {error.strerror}; let this user write there") from error


class _Run:
    """One backup on its way."""

    def __init__(self, store: Store, target: Target, step: Step) -> None:
        self.files: dict[str, Entry] = {}
        self.gone: set[str] = set()  # photographs that were not there, though the records name them
        self.copied = self.copied_bytes = 0
        self._store, self._target, self._step = store, target, step
        self._present = target.files()
        self._known: dict[str, Entry] = {}
        with suppress(StoreError):  # a damaged one only costs reading each photograph; restoring it says so
            for newest in backup_ids(target, device_id(store))[:1]:
                self._known = read_manifest(target, newest).files

    def keep_records(self, snapshot: Path, clock: Clock) -> str:
        """Copy the database to `snapshot` and keep the photographs that it names; return its moment.

        A photograph may be removed before it is kept; then a newer copy of the database no longer names it. One that
        this names all the same was lost by the device.
        """
        for _ in range(_ROUNDS):
            snapshot.unlink(missing_ok=True)
            moment = datetime.fromtimestamp(clock.wall_s(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            self._store.copy_database(snapshot)
            named = _photographs_of(snapshot, self._store.folder)
            gone = {name for name in named if not self._keep_photograph(name)}
            if gone <= self.gone:
                self.gone, self.files = gone, {name: self.files[name] for name in named if name not in gone}
                return moment
            self.gone |= gone
        raise StoreError("photographs are removed faster than they are copied; try again when nothing is deleted")

    def keep(self, name: str, content: bytes | Path, mode: int = FILE_MODE) -> None:
        """Keep a file under `name`: its content is written unless the target has it."""
        entry = _entry(content, mode)
        if self._present.get(entry.object) != entry.bytes:
            self._target.write(entry.object, content)
            if isinstance(content, Path) and _entry(content, mode) != entry:
                raise StoreError(f"{name} was changed while it was copied; try again")
            self._present[entry.object] = entry.bytes
            self.copied, self.copied_bytes = self.copied + 1, self.copied_bytes + entry.bytes
        self.files[name] = entry
        self._step(name)

    def keep_others(self, data: Path) -> dict[str, str]:
        """Keep what is beside the records; return the symbolic links by path. One that leads elsewhere is left out."""
        links = {}
        for path in _others(data):
            name = path.relative_to(data).as_posix()
            if name != printable(name):
                raise StoreError(f"{printable(path)} has characters that no backup holds in its name; rename it")
            if not path.is_symlink():
                self.keep_file(name, path)
                continue
            with suppress(FileNotFoundError):  # replaced meanwhile
                if "/" not in (aim := str(path.readlink())):
                    links[name] = aim
        return links

    def keep_file(self, name: str, path: Path) -> None:
        """Keep the file at `path`, if it is one and still there: an older calibration goes when a new one comes."""
        try:
            if path.is_file():
                with path.open("rb") as file:
                    content = file.read(_IN_MEMORY + 1)
                self.keep(name, content if len(content) <= _IN_MEMORY else path, path.stat().st_mode & 0o777)
        except OSError as error:
            _refuse(error, path)

    def _keep_photograph(self, name: str) -> bool:
        entry = self.files.get(name) or self._known.get(name)  # what is under a name never changes
        if entry is not None and self._present.get(entry.object) == entry.bytes:
            self.files[name] = entry
            return True
        try:
            content = self._store.photographs.read(name)
        except StoreError as error:
            if getattr(error.__cause__, "errno", None) != errno.EIO:
                raise
            return False  # the disk has lost it
        if content is not None:
            self.keep(name, content)
        return content is not None


def _entry(content: bytes | Path, mode: int) -> Entry:
    if isinstance(content, bytes):
        return Entry(hashlib.sha256(content).hexdigest(), len(content), mode)
    with content.open("rb") as file:
        return Entry(hashlib.file_digest(file, "sha256").hexdigest(), file.tell(), mode)


def _photographs_of(snapshot: Path, folder: Path) -> list[str]:
    """Return the photographs that a copy of the database of `folder` names, once all of the copy was read."""
    with closing(sqlite3.connect(f"{snapshot.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as records:
        records.text_factory = lambda raw: raw.decode("utf-8", "replace")
        if (found := records.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            where = f"store {printable(folder)}: the database is damaged ({found})"
            raise DamagedStoreError(f"{where}; restore the last backup into another folder")
        return [str(row[0]) for row in records.execute("SELECT image FROM fields WHERE image IS NOT NULL")]


def _others(data: Path) -> Iterator[Path]:
    """Yield what is in the data folder beside records and photographs; hidden files are locks and unfinished ones."""
    for top in sorted(data.glob("[!.]*")):
        if top.name in {PHOTOGRAPHS, SCREEN, SETTINGS} or top.name.startswith(DATABASE):
            continue
        yield top
        for folder, inner, files in os.walk(top, onerror=_refuse) if not top.is_symlink() else ():
            inner[:] = sorted(name for name in inner if not name.startswith("."))
            yield from (Path(folder, name) for name in sorted([*inner, *files]) if not name.startswith("."))


def _refuse(error: OSError, path: Path | None = None) -> None:
    """Pass over what is no longer there, and no folder; nothing else may be missing from a backup.

    Raises:
        StoreError: it cannot be read.
    """
    if error.errno not in {errno.ENOENT, errno.ENOTDIR}:
        what = f"cannot read {printable(path or error.filename)}: {error.strerror}"
        raise StoreError(f"{what}; run it as the owner of the data folder") from error
