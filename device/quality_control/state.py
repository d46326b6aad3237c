"""Is the quality control of the day done? Asked at the exposure of every field, so it costs one look-up."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from device.quality_control.measurements import NOT_CLEARED_TODAY, QcMeasurement, QcRun, QcTest
from device.settings import QcSettings
from device.store.records import QC_CLEARED, QC_NOT_CLEARED
from device.store.store import Store
from device.system.clock import Moment, moment

_MAX_RUNS = 400  # looked through, back from the newest: a year of days
DAY_S = 24 * 3600.0  # stands for "until midnight" where the date is not known


@dataclass(frozen=True, slots=True)
class QcState:
    """Whether the device is cleared for use today."""

    cleared: bool
    reasons: tuple[str, ...] = ()  # why it is not
    since: float | None = None  # Unix time of the measurement that cleared it
    asked: bool = True  # False: the settings do not ask for a quality control

    @property
    def mark(self) -> str | None:
        """What a record of a field says; None: nothing was asked for."""
        return (QC_CLEARED if self.cleared else QC_NOT_CLEARED) if self.asked else None

    @property
    def warning(self) -> str:
        """One line for people: "" where it is cleared."""
        return "" if self.cleared else f"quality control: {NOT_CLEARED_TODAY} ({'; '.join(self.reasons)})"

    def to_json(self) -> dict[str, Any] | None:
        """Return it as JSON types; None: nothing was asked for."""
        about = {"cleared": self.cleared, "reasons": list(self.reasons), "since_s": self.since}
        return about if self.asked else None


NOT_ASKED = QcState(True, asked=False)


def qc_state(store: Store, settings: QcSettings, now: Moment, simulated: bool = False) -> QcState:
    """Return the state at the moment `now`; cleared where the settings do not ask for a quality control.

    `simulated`: for a simulated microscope, whose own control slides then count too.
    """
    return state_of(store.qc_runs(2), settings, now, simulated) if settings.required else NOT_ASKED


def state_of(runs: Sequence[QcRun], settings: QcSettings, now: Moment, simulated: bool = False) -> QcState:
    """Return the state at `now`, from the quality controls that were begun last, the newest first."""
    run = next((each for each in runs if not _later(each.at, now)), None)
    if run is None:
        return QcState(False, ("no quality control was done yet",))
    if not in_force(run.at, settings, now):
        return QcState(False, ("the last quality control is out of date",))
    done = replace(run, measurements=tuple(
        each for each in run.measurements if not _later(each.at, now) and (simulated or not each.simulated)
    )).latest()  # fmt: skip
    reasons = [reason for test in settings.tests if (reason := _reason(test, done))]
    if reasons:
        return QcState(False, tuple(reasons))
    return QcState(True, (), max((each.at.wall_s for each in done if each.test in settings.tests), default=None))


def in_force(begun: Moment, settings: QcSettings, now: Moment) -> bool:
    """Tell whether a quality control begun at `begun` still holds at `now`: for `valid_hours`, or until midnight.

    Across a restart no clock can tell while the date is not known: then it does not hold.
    """
    age_s = begun.before(now)
    if age_s is None or age_s < 0:
        return False
    if settings.valid_hours is not None:
        return age_s < settings.valid_hours * 3600
    return _date(now.wall_s - age_s) == _date(now.wall_s) if now.synced else age_s < DAY_S


def run_before(store: Store, last_s: float) -> QcRun | None:
    """Return the newest quality control that was begun before `last_s`, Unix time; None: there is none."""
    return next((each for each in store.qc_runs(_MAX_RUNS) if each.at.wall_s <= last_s), None)


class QcWatch:
    """Knows the state for a running session; the measurements are read again when one was added."""

    def __init__(self, settings: QcSettings, simulated: Callable[[], bool] = lambda: False) -> None:
        self._settings = settings
        self._simulated = simulated
        self._version: tuple[int, int] | None = None
        self._runs: list[QcRun] = []

    def state(self, store: Store, exposed_s: float | None = None) -> QcState:
        """Return the state now or, of a field exposed at `exposed_s` on the clock of the boot, then."""
        if not self._settings.required:
            return NOT_ASKED
        now = moment()
        if exposed_s is not None:
            now = replace(now, monotonic_s=exposed_s, wall_s=now.wall_s + exposed_s - now.monotonic_s)
        version = store.qc_version()
        if version != self._version:
            self._runs, self._version = store.qc_runs(2), version
        return state_of(self._runs, self._settings, now, self._simulated())


def _later(at: Moment, now: Moment) -> bool:
    age_s = at.before(now)
    return age_s is not None and age_s < 0


def _date(wall_s: float) -> object:
    return datetime.fromtimestamp(wall_s).astimezone().date()


def _reason(test: QcTest, done: Sequence[QcMeasurement]) -> str:
    """Return why `test` does not clear the device, "" where it does."""
    mine = [each for each in done if each.test is test]
    if not mine:
        return f"{test.title()}: not done"
    failed = [f"{each.title}{f' ({each.lot})' if each.lot else ''}" for each in mine if not each.passed]
    return f"{test.title()}: failed, {', '.join(failed)}" if failed else ""
