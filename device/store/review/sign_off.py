"""Signed results: a signed slide is read-only until it is amended, and what was signed stays for ever."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from device.counting.cell_classes import CellClass, Role
from device.counting.differential import DifferentialCount, SlideState, state_of
from device.store.database import Database
from device.store.names import checked_operator, checked_text, not_there
from device.store.queries import Queries
from device.store.records import SlideRecord
from device.store.review.audit_trail import Action, record_event, time_of
from device.store.review.counts import Counts
from device.store.review.statement import (
    DAMAGED,
    FORMAT,
    Signature,
    canonical,
    classes_json,
    classes_of,
    differences,
    records_json,
    sha256_of,
)
from device.system.clock import Clock
from smear import RESEARCH_USE_ONLY, __version__
from smear.errors import StoreError
from smear.output_files import printable

MAX_REASON = 200  # characters
_NAMED = 5  # cells in an error message


@dataclass(frozen=True, slots=True)
class Concessions:
    """What the operator signs although the count is not complete; a reason stands in the statement."""

    unidentified: bool = False  # cells may be unidentified; the statement names them
    short: str = ""  # why fewer leukocytes than the target were counted
    passed_over: str = ""  # why cells were passed over


@dataclass(frozen=True, slots=True)
class Counted:
    """The state of a slide, every operator's count of it, and what was signed."""

    state: SlideState
    counts: Mapping[str, DifferentialCount]  # by operator
    signatures: tuple[Signature, ...]  # oldest first

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {
            "state": str(self.state),
            "counts": {operator: count.to_json() for operator, count in self.counts.items()},
            "signatures": [each.to_json() for each in self.signatures],
        }


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether a signed result is still what was signed."""

    signature: Signature
    compared: bool  # with the records of today; not where the slide was deleted or amended since
    faults: tuple[str, ...]


def require_editable(connection: sqlite3.Connection, slide_id: int) -> None:
    """Let a transaction go on that changes what was said of a slide.

    Raises:
        StoreError: there is no such slide, or its present version is signed.
    """
    row = connection.execute(
        "SELECT signatures.version AS signed FROM slides LEFT JOIN signatures"
        " ON slide_id = id AND signatures.version = slides.version WHERE id = ?",
        (slide_id,),
    ).fetchone()
    if row is None:
        raise not_there("slide", slide_id)
    if row["signed"] is not None:
        raise is_signed(slide_id)


def require_never_signed(connection: sqlite3.Connection, slide_id: int, advice: str) -> None:
    """Let a transaction go on after which records of a slide may go.

    Raises:
        StoreError: a version of the slide was signed; the message ends with `advice`.
    """
    if connection.execute("SELECT 1 FROM signatures WHERE slide_id = ?", (slide_id,)).fetchone():
        raise was_signed(slide_id, advice)


def is_signed(slide_id: int) -> StoreError:
    """Return the error of what may not be done to a slide whose present version is signed."""
    return StoreError(f"slide {slide_id} is signed and cannot change; 'smearscope slides amend {slide_id}' first")


def was_signed(slide_id: int, advice: str) -> StoreError:
    """Return the error of what may not be done to a slide of which a version was signed."""
    return StoreError(f"slide {slide_id} was signed, and its records are kept; {advice}")


class SignOff:
    """Signs, amends and verifies the slides of one open database."""

    def __init__(self, database: Database, queries: Queries, counts: Counts, clock: Clock) -> None:
        self._database = database
        self._queries = queries
        self._counts = counts
        self._clock = clock

    def sign(
        self,
        slide_id: int,
        operator: str,
        classes: Sequence[CellClass],
        target: int,
        concessions: Concessions | None = None,
        *,
        qc_faults: Sequence[str] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> Signature:
        """Sign the operator's count of a slide, which is read-only from then on, and kept.

        `qc_faults` is why the quality control of the day is not cleared: empty where it is, None where the settings do
        not ask for it. `settings` are those that matter to the result, as JSON types.

        Raises:
            StoreError: the slide is signed or still recorded, the count is not complete and `concessions` do not allow
                that, quality control is not cleared, or the operator counted nothing.
        """
        operator = checked_operator(operator)
        allowed = _checked(concessions or Concessions())
        with self._database.transaction() as connection:
            require_editable(connection, slide_id)
            slide = self._queries.slide(slide_id)
            if slide.ended_s is None:
                raise StoreError(f"slide {slide_id} is still recorded; 'smearscope slide end' first")
            conceded = self._conceded(slide_id, operator, classes, target, allowed, qc_faults)
            now_s = self._clock.wall_s()
            statement = canonical({
                "format": FORMAT,
                "notice": RESEARCH_USE_ONLY,
                "smearscope": __version__,
                "store": self._queries.store_id(),
                "signed_by": operator,
                "signed_s": now_s,
                "concessions": conceded,
                "quality_control": None if qc_faults is None else "cleared",
                "settings": dict(settings or {}),
                "classes": classes_json(classes),
                "target": target,
                "records": self._records(slide_id, operator, classes, target),
            })  # fmt: skip
            signature = Signature(slide_id, slide.version, operator, now_s, statement, sha256_of(statement))
            connection.execute("INSERT INTO signatures VALUES (?, ?, ?, ?, ?, ?)", tuple(asdict(signature).values()))
            connection.execute("UPDATE slides SET keep = 1 WHERE id = ?", (slide_id,))
            connection.execute("UPDATE fields SET keep = 1 WHERE slide_id = ?", (slide_id,))
            record_event(connection, now_s, operator, Action.SIGN, slide_id, new=str(slide.version))
        return signature

    def amend(self, slide_id: int, operator: str, reason: str) -> SlideRecord:
        """Begin the next version of a signed slide, which can be changed again; what was signed stays.

        Raises:
            StoreError: the slide is not signed, or there is no reason.
        """
        operator, reason = checked_operator(operator), checked_text("the reason of an amendment", reason, MAX_REASON)
        with self._database.transaction() as connection:
            slide = self._queries.slide(slide_id)
            if not slide.signed:
                raise StoreError(f"slide {slide_id} is not signed and can be changed as it is; nothing was amended")
            connection.execute("UPDATE slides SET version = version + 1 WHERE id = ?", (slide_id,))
            record_event(
                connection, self._clock.wall_s(), operator, Action.AMEND, slide_id,
                old=str(slide.version), new=str(slide.version + 1), reason=reason,
            )  # fmt: skip
        return self._queries.slide(slide_id)

    def signatures(self, slide_id: int) -> list[Signature]:
        """Return what was signed of a slide, oldest first; also of a deleted one."""
        rows = self._database.rows("SELECT * FROM signatures WHERE slide_id = ? ORDER BY version", slide_id)
        return [
            Signature(
                row["slide_id"], row["version"], printable(str(row["operator"])), time_of(row["wall_time_s"]),
                str(row["statement"]), str(row["sha256"]),
            )
            for row in rows
        ]  # fmt: skip

    def counted(self, slide: SlideRecord, classes: Sequence[CellClass], target: int) -> Counted:
        """Return the state of a slide and its counts: by `classes` and `target`, or by those that were signed."""
        signatures = self.signatures(slide.id)
        if slide.signed and signatures[-1].intact:
            said = signatures[-1].said()
            classes, target = classes_of(said["classes"]), said["target"]
        counts = {
            operator: self._counts.differential(slide.id, operator, classes, target)
            for operator in self._counts.operators(slide.id)
        }
        return Counted(state_of(slide.signed, slide.ended_s is not None, counts.values()), counts, tuple(signatures))

    def verify(self, signature: Signature) -> Verification:
        """Compare a signed result with its checksum and, where the slide is still as signed, with the records."""
        if not signature.intact:
            return Verification(signature, False, (DAMAGED,))
        said = signature.said()
        rows = self._database.rows("SELECT version FROM slides WHERE id = ?", signature.slide_id)
        if not rows or rows[0]["version"] != signature.version or said["format"] != FORMAT:
            return Verification(signature, False, ())
        classes, target = classes_of(said["classes"]), said["target"]
        today = self._records(signature.slide_id, signature.operator, classes, target)
        faults = [f"the records say otherwise than was signed: {name}" for name in differences(said["records"], today)]
        return Verification(signature, True, tuple(faults))

    def _records(self, slide_id: int, operator: str, classes: Sequence[CellClass], target: int) -> dict[str, Any]:
        return records_json(self._database, self._queries, self._counts, slide_id, operator, classes, target)

    def _conceded(
        self,
        slide_id: int,
        operator: str,
        classes: Sequence[CellClass],
        target: int,
        allowed: Concessions,
        qc_faults: Sequence[str] | None,
    ) -> dict[str, Any]:
        """Return what the count lacks and `allowed` concedes: cells that are unidentified by name, and reasons.

        Raises:
            StoreError: it lacks something else, or quality control is not cleared.
        """
        count = self._counts.differential(slide_id, operator, classes, target)
        if not any(each.n for each in count.classes):
            others = ", ".join(map(printable, self._counts.operators(slide_id))) or "nobody"
            raise StoreError(
                f"{operator} has classified no cell of slide {slide_id} ({others} has); 'smearscope cells classify' "
                "first, or sign with the --operator who counted"
            )
        faults = [f"quality control of the day is not cleared ({'; '.join(qc_faults)})"] if qc_faults else []
        unknown = {each.name for each in count.classes if each.role is Role.UNIDENTIFIED}
        cells = [f"{field}.{number}" for field, number, name in self._counts.classified(slide_id, operator)
                 if name in unknown]  # fmt: skip
        if count.missing and not allowed.short:
            faults.append(f"{count.leukocytes} of {target} leukocytes are counted (or --short REASON)")
        if cells and not allowed.unidentified:
            more = f" and {len(cells) - _NAMED} more" if len(cells) > _NAMED else ""
            faults.append(f"cells unidentified: {', '.join(cells[:_NAMED])}{more} (or --allow-unidentified)")
        if count.passed_over and not allowed.passed_over:
            faults.append(f"cells passed over: {count.passed_over}, which may bias the count (or --passed-over REASON)")
        if faults:
            raise StoreError(f"slide {slide_id} is not signed: {'; '.join(faults)}")
        return {
            "unidentified": cells,
            "short": allowed.short if count.missing else "",
            "passed_over": allowed.passed_over if count.passed_over else "",
        }


def _checked(conceded: Concessions) -> Concessions:
    return Concessions(
        conceded.unidentified,
        checked_text("the reason of a short count", conceded.short, MAX_REASON, shortest=0),
        checked_text("the reason of passing cells over", conceded.passed_over, MAX_REASON, shortest=0),
    )
