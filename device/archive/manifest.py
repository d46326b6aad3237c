"""What of an archive is done: a database beside the file of results, by which a run that was killed goes on."""

import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from device.archive.examiner import PictureResult, PictureTask
from smear.errors import StoreError
from smear.output_files import OutputFolder, printable

ENDING = ".manifest"  # added to the name of the file of results
_APPLICATION_ID = 0x534D4152  # "SMAR", in the head of the file: tells ours from other databases
_ID_AT = 68  # https://www.sqlite.org/fileformat.html
_COMMIT_EVERY_S = 1.0  # what a power cut can cost
_ADVICE = {
    sqlite3.SQLITE_BUSY: "another run writes it; wait for its end, or choose another --out",
    sqlite3.SQLITE_CANTOPEN: "it cannot be written; choose another --out",
    sqlite3.SQLITE_FULL: "the disk is full; free some space and go on with --resume",
    sqlite3.SQLITE_IOERR: "its disk fails; choose another --out",
    sqlite3.SQLITE_READONLY: "it may not be written; choose another --out",
}
_SCHEMA = """
CREATE TABLE IF NOT EXISTS results (id INTEGER PRIMARY KEY, sha256 TEXT, key BLOB, result TEXT NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS results_by_key ON results (key) WHERE key IS NOT NULL;
CREATE TABLE IF NOT EXISTS pictures (
    name BLOB PRIMARY KEY, number INTEGER NOT NULL, run INTEGER NOT NULL, result INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (id INTEGER PRIMARY KEY);
"""


class Manifest:
    """The results by (sha256 of the picture, sha256 of the bundle, settings), and which picture has which."""

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        """Open `path`, or make it; results of other `settings`, which hold the bundle's sha256, are not reused.

        Raises:
            StoreError: it cannot be opened, or is no manifest.
        """
        self._path = path
        self._settings = json.dumps(settings, sort_keys=True, default=str, allow_nan=False).encode()
        with OutputFolder(path.parent) as folder:
            folder.check(path.name, is_manifest)
        with self._explained():
            self._database = sqlite3.connect(path, isolation_level=None)
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")  # two runs at once would undo each other's rows
            self._database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            self._database.executescript(_SCHEMA)
            self._run = self._database.execute("INSERT INTO runs DEFAULT VALUES").lastrowid
        self._committed_s: float | None = None  # None: no transaction is open
        self.reused = 0

    def reuse(self, task: PictureTask, sha256: str | None) -> PictureResult | None:
        """Return the result of a picture of that content, and note it for `task`; None where there is none yet."""
        if sha256 is None:
            return None
        with self._explained():
            found = self._database.execute(
                "SELECT id, result FROM results WHERE key = ?", (self._key(task, sha256),)
            ).fetchone()
            if found is None:
                return None
            self._note(task, found[0])
        self.reused += 1
        return PictureResult(found[1], None, tuple(json.loads(found[1]).get("notes", ())), sha256)

    def add(self, task: PictureTask, done: PictureResult) -> None:
        """Note what became of `task`; a picture that could not be examined is tried again by the next run."""
        key = self._key(task, done.sha256) if done.sha256 and done.error is None else None
        with self._explained():
            added = self._database.execute(
                "INSERT INTO results (sha256, key, result) VALUES (?, ?, ?) "
                "ON CONFLICT (key) WHERE key IS NOT NULL DO UPDATE SET result = excluded.result RETURNING id",
                (done.sha256, key, done.json),
            ).fetchone()
            self._note(task, added[0])

    def rows(self) -> Iterator[tuple[str, str | None, str]]:
        """Yield name, sha256 and JSON of each picture: those of this run in the order given, then earlier ones."""
        with self._explained():
            for name, *found in self._database.execute(
                "SELECT name, sha256, results.result FROM pictures JOIN results ON results.id = pictures.result "
                "ORDER BY run DESC, number"
            ):
                yield printable(os.fsdecode(name)), *found

    def forget_others(self) -> None:
        """Drop the pictures that this run, which went through all, has not met: they are gone from the archive."""
        with self._explained():
            self._database.execute("DELETE FROM pictures WHERE run != ?", (self._run,))
            self._database.execute("DELETE FROM results WHERE key IS NULL AND id NOT IN (SELECT result FROM pictures)")

    def is_empty(self) -> bool:
        """Tell whether no picture is done yet."""
        with self._explained():
            return self._database.execute("SELECT 1 FROM pictures LIMIT 1").fetchone() is None

    def close(self, keep: bool) -> None:
        """Write what is not on the disk yet; a manifest of nothing, as after a wrong setting, only to `keep` it."""
        with self._explained():
            self._commit()
            remove = not keep and self.is_empty()
            self._database.close()
        if remove:
            self._path.unlink()

    def _note(self, task: PictureTask, result: int) -> None:
        self._database.execute(
            "INSERT OR REPLACE INTO pictures VALUES (?, ?, ?, ?)",
            (os.fsencode(task.path), task.number, self._run, result),  # two paths may print as the same text
        )
        if self._committed_s is None or time.monotonic() - self._committed_s > _COMMIT_EVERY_S:
            self._commit()
            self._database.execute("BEGIN")
            self._committed_s = time.monotonic()

    def _commit(self) -> None:
        if self._database.in_transaction:
            self._database.execute("COMMIT")

    def _key(self, task: PictureTask, sha256: str) -> bytes:
        output = b"" if task.output is None else os.fsencode(task.output)  # another name has a mask of its own
        return hashlib.sha256(sha256.encode() + self._settings + output).digest()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            advice = _ADVICE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, "it is damaged; choose another --out")
            raise StoreError(f"manifest {printable(self._path)}: {advice} ({error})") from error


def is_manifest(head: bytes) -> bool:
    """Tell from the first bytes of a file whether it is a manifest; on a full disk one stays without a byte."""
    return not head or (head[:6] == b"SQLite" and head[_ID_AT : _ID_AT + 4] == _APPLICATION_ID.to_bytes(4, "big"))
