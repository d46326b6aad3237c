"""The store: photographs and what was concluded from them. What it acknowledged, a power cut does not take."""

import json
import secrets
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from device.store.database import (
    DATABASE,
    PHOTOGRAPHS,
    DamagedStoreError,
    WriterLock,
    check,
    connect,
    move_aside,
    sync_folder,
)
from device.store.keeper import Keeper
from device.store.records import PROBABILITY_COLUMNS, Circumstances, cell_row, counts_of
from device.store.refusal_codes import refusals_text
from device.store.retention import Retention
from device.store.slide_summary import tally_of
from device.system.clock import Clock, SystemClock
from smear.classes import LABELS
from smear.errors import StoreError
from smear.findings import Finding, Frame
from smear.images import write_image

BUSY_TIMEOUT_S = 5.0
JPEG_QUALITY = 95  # at 95 the mask of a field changes less than by a second shot of it; 300 kB for 1.5 megapixels


class Store(Keeper):
    """One data folder, open for recording (`record`) or for reading and marking (`read`)."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        folder: Path,
        *,
        lock: WriterLock | None = None,
        retention: Retention | None = None,
        clock: Clock | None = None,
        notices: Sequence[str] = (),
    ) -> None:
        super().__init__(connection, folder, retention or Retention(), clock or SystemClock())
        self._writer_lock = lock
        self.notices = tuple(notices)  # what happened at opening that a person should know

    @classmethod
    def record(
        cls,
        folder: Path,
        retention: Retention | None = None,
        clock: Clock | None = None,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
    ) -> Self:
        """Open `folder` for recording; a damaged database is moved aside and a new one started.

        Raises:
            StoreError: not writable, or another process records into it.
        """
        clock = clock or SystemClock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"store {folder}: {error.strerror}; give another folder with --data") from error
        lock, notices = WriterLock(folder), []
        try:
            try:
                connection = _connect_checked(folder, busy_timeout_s, thorough=lock.left_unclean)
            except DamagedStoreError as error:
                aside = move_aside(folder, clock.wall_s())
                connection = connect(folder, busy_timeout_s)
                cause = error.__cause__ or error
                notices.append(f"the store was damaged ({cause}); it was moved to {aside} and a new one was started")
            store = cls(connection, folder, lock=lock, retention=retention, clock=clock, notices=notices)
            store._tidy()
        except BaseException:
            lock.release()
            raise
        return store

    @classmethod
    def read(cls, folder: Path, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Self:
        """Open `folder` to read it and to mark records, also while another process records.

        Raises:
            StoreError: nothing was recorded there yet, or it may not be read.
        """
        if not (folder / DATABASE).is_file():
            raise StoreError(f"no store in {folder}; 'smearscope run' makes one, or give its folder with --data")
        return cls(connect(folder, busy_timeout_s), folder)

    def close(self) -> None:
        """Close the database and let another process record; safe to call twice."""
        super().close()
        if self._writer_lock is not None:
            self._writer_lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start_slide(self, name: str, simulated: bool = False) -> int:
        """Start a slide, ending the one that a killed run left open; return its number."""
        with self._transaction():
            self._connection.execute(
                "UPDATE slides SET ended_s = coalesce((SELECT max(wall_time_s) FROM fields WHERE slide_id = slides.id),"
                " started_s) WHERE ended_s IS NULL"
            )
            cursor = self._connection.execute(
                "INSERT INTO slides (name, started_s, simulated) VALUES (?, ?, ?)",
                (name, self._clock.wall_s(), int(simulated)),
            )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def end_slide(self, slide_id: int) -> None:
        """End a slide."""
        with self._transaction():
            self._connection.execute("UPDATE slides SET ended_s = ? WHERE id = ?", (self._clock.wall_s(), slide_id))

    def add_field(
        self,
        slide_id: int,
        frame: Frame,
        finding: Finding,
        circumstances: Circumstances | None = None,
        review: bool = False,
    ) -> int:
        """Record one distinct field and count it; when this returns its number, it is safe on the disk.

        Raises:
            StoreError: no room, locked, or the disk failed; nothing of the field was recorded then.
        """
        self.make_room()
        # The photograph first: a record never names a picture that is not there.
        image = f"{PHOTOGRAPHS}/{slide_id:06d}/{frame.sequence:08d}-{secrets.token_hex(4)}.jpg"
        path = self.folder / image
        try:
            if not path.parent.is_dir():
                path.parent.mkdir(parents=True)
                sync_folder(path.parent.parent)
            write_image(path, frame.image, JPEG_QUALITY)
            with self._transaction():
                return self._insert(slide_id, frame, finding, circumstances or Circumstances(), review, image)
        except OSError as error:
            raise StoreError(f"store {self.folder}: {error.strerror}; free some space, or check the disk") from error
        except StoreError:
            path.unlink(missing_ok=True)
            raise

    def _tidy(self) -> None:
        """Finish what a killed run left: photographs to unlink, and ones whose record was never committed."""
        self._unlink_doomed()
        # Only a slide still open can hold such a photograph: its writer died between the picture and the record.
        for slide in self._rows("SELECT id FROM slides WHERE ended_s IS NULL"):
            known = {r["image"] for r in self._rows("SELECT image FROM fields WHERE slide_id = ?", slide["id"])}
            for path in (self.folder / PHOTOGRAPHS / f"{slide['id']:06d}").glob("*"):
                if str(path.relative_to(self.folder)) not in known:
                    path.unlink()

    def _insert(
        self, slide_id: int, frame: Frame, finding: Finding, about: Circumstances, review: bool, image: str
    ) -> int:
        row = _field_row(frame, finding, about) | {"slide_id": slide_id, "review": int(review), "image": image}
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        cursor = self._connection.execute(
            f"INSERT INTO fields ({names}, keep) VALUES ({marks}, (SELECT keep FROM slides WHERE id = ?))",
            (*row.values(), slide_id),
        )
        field_id = cursor.lastrowid
        assert field_id is not None
        self._connection.executemany(
            f"INSERT INTO cells VALUES ({', '.join('?' * (11 + len(LABELS)))})",
            [cell_row(field_id, number, cell) for number, cell in enumerate(finding.cells)],
        )
        self._connection.executemany(
            "INSERT INTO slide_counts VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n",
            [(slide_id, *count) for count in counts_of(tally_of(finding))],
        )
        return field_id


def _connect_checked(folder: Path, busy_timeout_s: float, thorough: bool) -> sqlite3.Connection:
    connection = connect(folder, busy_timeout_s)
    if thorough:  # the last writer was killed or lost its power
        try:
            check(connection, folder)
        except BaseException:
            connection.close()
            raise
    return connection


def _field_row(frame: Frame, finding: Finding, about: Circumstances) -> dict[str, Any]:
    """Return the columns of `fields` that come from what was seen, without those that place it in the store."""
    quality = finding.quality
    height, width = frame.image.shape[:2]
    chances = [finding.probabilities.get(name) for name in LABELS]
    return {
        "wall_time_s": frame.wall_time_s,
        "monotonic_s": frame.monotonic_s,
        "boot_id": about.boot_id,
        "clock_synced": None if about.clock_synced is None else int(about.clock_synced),
        "source": frame.source,
        "pixel_size_um": frame.pixel_size_um,
        "width": width,
        "height": height,
        "label": finding.label,
        "top": finding.top,
        **{
            column: None if value is None else float(value)
            for column, value in zip(PROBABILITY_COLUMNS, chances, strict=True)
        },
        "refusals": refusals_text(finding.refusals),
        "cell_count": len(finding.cells),
        **{
            name: float(getattr(quality, name))
            for name in ("focus", "clipped", "brightness", "cell_share", "colour_drift")
        },
        "ood_score": None if quality.ood_score is None else float(quality.ood_score),
        "timing_ms": json.dumps({stage: round(float(ms), 3) for stage, ms in finding.timing_ms.items()}),
        "bundle_sha256": finding.bundle_sha256,
        "level": finding.level,
        "runtime": finding.runtime,
        "calibration_id": about.calibration_id,
        "throttled": about.throttled,
        "temperature_c": about.temperature_c,
    }
