"""The log of quality controls: what was measured, by whom, and whether it passed. It is only ever added to."""

import json
import math
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace

from device.quality_control.measurements import MEASURES, QcMeasurement, QcRun
from device.quality_control.westgard import Rule
from device.store.database import Database
from device.store.names import MAX_NOTE, checked_operator, checked_text
from device.store.review.audit_trail import Action, record_event
from device.system.clock import Moment, moment
from smear.errors import StoreError
from smear.output_files import printable

_WHEN = "wall_time_s, monotonic_s, boot_id, clock_synced, operator"
_INSERT_RUN = f"INSERT INTO qc_runs ({_WHEN}) VALUES (?, ?, ?, ?, ?)"
_INSERT = (
    f"INSERT INTO qc_measurements ({_WHEN}, run, measure, lot, value, mean, sd, passed, rules, details, slide_id,"
    " reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class QcLog:
    """Reads and adds quality controls of one open database."""

    def __init__(self, database: Database, now: Callable[[], Moment] = moment) -> None:
        self._database = database
        self._rows = database.rows
        self._now = now

    def begin_qc(self, operator: str) -> QcRun:
        """Begin a quality control; what was measured before it no longer clears the device.

        Raises:
            StoreError: `operator` cannot be shown in a line.
        """
        with self._database.transaction() as connection:
            return self._begin(connection, checked_operator(operator))

    def add_qc(
        self, operator: str, measurements: Sequence[QcMeasurement], *, reason: str = "", begin: bool = False
    ) -> list[QcMeasurement]:
        """Record `measurements` in the newest quality control, or in a new one (`begin`, or where there is none).

        Each that read a slide is in the slide's audit trail too. Returns them as they were recorded.

        Raises:
            StoreError: one passes whose last measurement failed, and no `reason` says what was done meanwhile; or a
                text cannot be shown in a line.
        """
        operator, reason = checked_operator(operator), checked_text("a reason", reason, MAX_NOTE, shortest=0)
        with self._database.transaction() as connection:
            newest = connection.execute("SELECT max(id) AS id FROM qc_runs").fetchone()["id"]
            run = self._begin(connection, operator).id if begin or newest is None else newest
            at = self._now()
            return [
                _insert(connection, replace(each, operator=operator, reason=reason, run=run, at=at))
                for each in measurements
            ]

    def qc(
        self, measure: str | None = None, lot: str | None = None, slide_id: int | None = None
    ) -> list[QcMeasurement]:
        """Return the measurements, oldest first: all, or those of one measure, lot or slide."""
        wanted = {"measure": measure, "lot": lot, "slide_id": slide_id}
        given = {name: value for name, value in wanted.items() if value is not None}
        where = " AND ".join(f"{name} = ?" for name in given) or "1"
        return _measurements(self._rows(f"SELECT * FROM qc_measurements WHERE {where} ORDER BY id", *given.values()))

    def qc_runs(self, limit: int = 20) -> list[QcRun]:
        """Return the quality controls with their measurements, the newest first."""
        return [
            QcRun(
                row["id"],
                printable(str(row["operator"])),
                _moment_of(row),
                tuple(_measurements(self._rows("SELECT * FROM qc_measurements WHERE run = ? ORDER BY id", row["id"]))),
            )
            for row in self._rows("SELECT * FROM qc_runs ORDER BY id DESC LIMIT ?", limit)
        ]

    def qc_version(self) -> tuple[int, int]:
        """Return what changes whenever something is added; two look-ups at the end of an index."""
        row = self._rows(
            "SELECT (SELECT max(id) FROM qc_runs) AS runs, (SELECT max(id) FROM qc_measurements) AS measurements"
        )[0]
        return row["runs"] or 0, row["measurements"] or 0

    def _begin(self, connection: sqlite3.Connection, operator: str) -> QcRun:
        at = self._now()
        run = connection.execute(_INSERT_RUN, _when(at, operator)).lastrowid
        assert run is not None
        return QcRun(run, operator, at)


def _insert(connection: sqlite3.Connection, new: QcMeasurement) -> QcMeasurement:
    before = connection.execute(
        "SELECT passed FROM qc_measurements WHERE measure = ? AND lot = ? ORDER BY id DESC LIMIT 1",
        (new.measure, checked_text("a lot", new.lot, shortest=0)),
    ).fetchone()
    if before is not None and not before["passed"] and new.passed and not new.reason:
        raise StoreError(
            f"{new.measure} failed when it was measured last; say with --reason what was done before it passed"
        )
    row_id = connection.execute(
        _INSERT,
        (*_when(new.at, new.operator), new.run, new.measure, new.lot, new.value, new.mean, new.sd, int(new.passed),
         " ".join(new.rules), json.dumps(new.details, allow_nan=False), new.slide_id, new.reason),
    ).lastrowid  # fmt: skip
    assert row_id is not None
    if new.slide_id is not None:
        result = f"{new.value:.4g} {'passed' if new.passed else 'failed'} {' '.join(new.rules)}".strip()
        record_event(connection, new.at.wall_s, new.operator, Action.QC, new.slide_id,
                     new=f"{new.measure} {result}", reason=new.reason)  # fmt: skip
    return replace(new, id=row_id)


def _when(at: Moment, operator: str) -> tuple[float, float, str, int, str]:
    return at.wall_s, at.monotonic_s, at.boot_id, int(at.synced), operator


def _moment_of(row: sqlite3.Row) -> Moment:
    wall_s, monotonic_s = _number(row["wall_time_s"]), _number(row["monotonic_s"])
    return Moment(wall_s or 0.0, monotonic_s or 0.0, str(row["boot_id"]), row["clock_synced"] == 1)


def _measurements(rows: Sequence[sqlite3.Row]) -> list[QcMeasurement]:
    return [_measurement_of(row) for row in rows if row["measure"] in MEASURES]


def _measurement_of(row: sqlite3.Row) -> QcMeasurement:
    """Read one row of `qc_measurements`; one that the disk has damaged did not pass."""
    value, details = _number(row["value"]), _details(row["details"])
    return QcMeasurement(
        measure=row["measure"],
        value=value or 0.0,
        passed=row["passed"] == 1 and value is not None and details is not None,
        lot=printable(str(row["lot"])),
        mean=_number(row["mean"]),
        sd=_number(row["sd"]),
        rules=tuple(rule for rule in Rule if rule in str(row["rules"]).split()),
        details=details or {},
        slide_id=row["slide_id"] if isinstance(row["slide_id"], int) else None,
        reason=printable(str(row["reason"])),
        operator=printable(str(row["operator"])),
        run=row["run"],
        at=_moment_of(row),
        id=row["id"],
    )


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _details(text: object) -> dict[str, object] | None:
    try:
        found = json.loads(str(text))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
