"""Backups killed at random while fields are written: each that is there shows the store at one moment."""

import hashlib
import json
import multiprocessing
import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from multiprocessing.synchronize import Semaphore
from pathlib import Path

from device.backup.backup import back_up
from device.backup.manifest import backup_ids, read_manifest
from device.backup.restore import restore
from device.backup.targets import Target
from device.counting.cell_classes import DEFAULT_CLASSES
from device.quality_control.measurements import QcMeasurement
from device.store import Retention, Store
from device.store.database import DATABASE, Database
from device.store.photographs import PHOTOGRAPHS, Photographs
from device.system.clock import SystemClock
from tests.device.findings import OUT_OF_FOCUS, finding, frame

FIELDS, KILLS, SLIDE = 200, 20, 25
FORK = multiprocessing.get_context("fork")


def state(connection: sqlite3.Connection) -> str:
    """A checksum over every row of every table."""
    return hashlib.sha256("\n".join(connection.iterdump()).encode()).hexdigest()


def write(folder: Path, log: Path, permits: Semaphore) -> None:
    """Write fields as they are permitted; note the store's state after each commit, and each photograph's checksum."""
    states, photographs = set(), {}
    transaction, add = Database.transaction, Photographs.add

    @contextmanager
    def noted(self: Database) -> Iterator[sqlite3.Connection]:
        with transaction(self) as connection:
            yield connection
        states.add(state(connection))

    def added(self: Photographs, *about: object) -> str:
        name = add(self, *about)
        photographs[name] = hashlib.sha256(self.read(name)).hexdigest()
        return name

    Database.transaction, Photographs.add = noted, added
    asked = [0]

    def free_bytes(_: Path) -> int:
        asked[0] += 1
        return 0 if asked[0] % 90 == 0 else 10**9  # now and then the oldest photographs must make room

    with Store.record(folder, Retention(1, free_bytes=free_bytes)) as store:
        states.add(state(store._database._connection))
        slides, worse = [], None
        for n in range(FIELDS):
            permits.acquire()
            if n % SLIDE == 0:
                slides.append(store.start_slide(f"slide {n}"))
                store.add_qc("ann", [QcMeasurement("slide.focus", 1.0, True, slide_id=slides[-1])], begin=True)
            refused = n % 7 == 0
            found = finding(None, (OUT_OF_FOCUS,)) if refused else finding()
            field = store.add_field(slides[-1], frame(n), found, instead_of=worse)
            worse = field if refused else None
            if not refused:
                store.classify("ann", [(field, 0), (field, 1)], "blast")
            if n % SLIDE == SLIDE - 1:
                store.end_slide(slides[-1])
                if len(slides) % 3 == 1:
                    store.sign(slides[-1], "ann", DEFAULT_CLASSES, 1)
                if len(slides) % 3 == 2:
                    store.delete_slide(slides[-1])
    log.write_text(json.dumps({"states": sorted(states), "photographs": photographs}))


def take(folder: Path, dest: Path) -> None:
    back_up(folder, Target(dest), None, SystemClock())


def test_backups_killed_at_random_while_fields_are_written_show_the_store_at_one_moment(tmp_path):
    source, dest, log = tmp_path / "source", tmp_path / "dest", tmp_path / "log"
    dest.mkdir()
    with Store.record(source):
        pass
    permits = FORK.Semaphore(FIELDS // 10)
    writer = FORK.Process(target=write, args=(source, log, permits))
    writer.start()
    chance, killed, alone_s = random.Random(1), 0, 0.5
    for attempt in range(KILLS + 1):
        for _ in range(FIELDS // 10 if attempt == KILLS else (FIELDS - FIELDS // 5) // KILLS):
            permits.release()
        backup = FORK.Process(target=take, args=(source, dest))
        began_s = time.monotonic()
        backup.start()
        backup.join(None if attempt == KILLS else chance.uniform(0.0, alone_s))
        if backup.exitcode is None:
            backup.kill()
            backup.join()
            killed += 1
        else:
            assert backup.exitcode == 0
            alone_s = time.monotonic() - began_s
    writer.join()
    assert writer.exitcode == 0
    assert killed > KILLS // 4
    noted = json.loads(log.read_text())
    ids = backup_ids(Target(dest))
    assert ids
    for number, backup_id in enumerate(ids):
        restored = tmp_path / f"restored-{number}"
        assert restore(Target(dest), read_manifest(Target(dest), backup_id), restored) == []
        with closing(sqlite3.connect(restored / DATABASE)) as database:
            assert state(database) in noted["states"]
            named = {image for (image,) in database.execute("SELECT image FROM fields WHERE image IS NOT NULL")}
        there = {path.relative_to(restored).as_posix(): path for path in (restored / PHOTOGRAPHS).rglob("*.jpg")}
        assert there.keys() == named
        for name, path in there.items():
            assert hashlib.sha256(path.read_bytes()).hexdigest() == noted["photographs"][name]
