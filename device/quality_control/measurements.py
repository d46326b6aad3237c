"""One measurement of the quality control, what is measured, and what is expected of it."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from statistics import mean, stdev
from typing import Any, NamedTuple

from device.quality_control.westgard import Rule, broken_rules, rejects
from device.system.clock import UNKNOWN, Moment

NOT_CLEARED_TODAY = "not cleared today"
ESTABLISHED_AFTER = 20  # runs of one lot: CLSI C24 and Westgard's lessons ask for at least 20 measurements


class QcTest(StrEnum):
    """What may be asked for each day."""

    LOCATION = "location"  # a person looks for cells that were missed
    SLIDE = "slide"  # a control slide is recorded, and its measures are compared with those expected of its lot
    CALIBRATION = "calibration"  # focus, light and white balance are compared with the calibration in force


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of a test."""

    title: str
    unit: str = ""
    least_sd: float = 0.0  # of a control: an established standard deviation is never taken to be smaller


RECALL = "location.recall"
MEASURES = {
    RECALL: Measure("cells found", "share of all cells"),
    "slide.cells": Measure("cells", "a field", 0.1),
    "slide.cell_area": Measure("cell area", "µm²", 1.0),
    "slide.accepted": Measure("accepted fields", "share of all fields", 0.02),
    "slide.focus": Measure("focus", "", 0.005),
    "slide.brightness": Measure("background brightness", "0 to 1", 0.005),
    "slide.colour_drift": Measure("colour drift", "CIE76", 0.25),
    "calibration.focus": Measure("focus", "of the calibrated best"),
    "calibration.light": Measure("light", "of the calibrated"),
    "calibration.white": Measure("white balance", "CIE76 from the calibrated"),
}
"""Every measure by its name, which begins with the test that it belongs to."""


class Expected(NamedTuple):
    """What a control should measure."""

    mean: float
    sd: float
    given: bool = True  # by a person, as on the label of the lot; False: established from the first runs


@dataclass(frozen=True, slots=True)
class QcMeasurement:
    """One recorded figure. Nothing of it changes, and none is deleted: what failed is measured again."""

    measure: str  # one of `MEASURES`
    value: float
    passed: bool
    lot: str = ""  # of the control slide
    mean: float | None = None  # expected, as it held at that time; None: the test has limits, or no mean is known yet
    sd: float | None = None
    rules: tuple[Rule, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)
    slide_id: int | None = None  # the slide that was read
    reason: str = ""  # what was done after the one before had failed
    operator: str = ""
    run: int = 0  # the quality control that it is part of; 0: not recorded yet
    at: Moment = UNKNOWN
    id: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the measurement as JSON types."""
        return asdict(self)

    @property
    def test(self) -> QcTest:
        """The test that it is part of."""
        return QcTest(self.measure.partition(".")[0])

    @property
    def title(self) -> str:
        """The measure in words."""
        return MEASURES[self.measure].title

    @property
    def z(self) -> float | None:
        """Distance from the expected mean in standard deviations; None: nothing was expected."""
        return None if self.mean is None or not self.sd else (self.value - self.mean) / self.sd

    @property
    def simulated(self) -> bool:
        """True: of the simulated microscope, and says nothing of a real one."""
        return bool(self.details.get("simulated"))


@dataclass(frozen=True, slots=True)
class QcRun:
    """One quality control, from its start to its last measurement."""

    id: int
    operator: str
    at: Moment  # when it was begun
    measurements: tuple[QcMeasurement, ...] = ()  # oldest first

    def to_json(self) -> dict[str, Any]:
        """Return the run with its measurements as JSON types."""
        return asdict(self)

    def latest(self) -> list[QcMeasurement]:
        """Return the last measurement of each measure and lot: one that failed may have been repeated."""
        return last_of_each(self.measurements)


def last_of_each(measurements: Iterable[QcMeasurement]) -> list[QcMeasurement]:
    """Return the last of each measure and lot, of `measurements` from the oldest on."""
    return list({(each.measure, each.lot): each for each in measurements}.values())


def expected_of(measure: str, history: Sequence[QcMeasurement]) -> Expected | None:
    """Return what the next measurement of a lot should be; None: fewer than `ESTABLISHED_AFTER` are known.

    `history` are the measurements of one measure and lot, oldest first. What a person gave last comes before what the
    first runs establish.
    """
    for each in reversed(history):
        if each.details.get("expected") == "given" and each.mean is not None and each.sd:
            return Expected(each.mean, each.sd)
    if len(history) < ESTABLISHED_AFTER:
        return None
    first = [each.value for each in history[:ESTABLISHED_AFTER]]
    return Expected(mean(first), max(stdev(first), MEASURES[measure].least_sd), given=False)


def judged(
    measure: str,
    value: float,
    lot: str,
    history: Iterable[QcMeasurement],
    given: Expected | None = None,
    run: int = 0,
) -> QcMeasurement:
    """Return `value` of a control slide of `lot`, judged by Westgard's rules where its mean is known.

    `history` are the measurements of this measure of all lots, oldest first; `run` is the number of the present run.
    """
    every = list(history)
    own = [each for each in every if each.lot == lot]
    expected = given or expected_of(measure, own)
    if expected is None:
        about = {"expected": "establishing", "known": len(own) + 1}
        return QcMeasurement(measure, value, True, lot, details=about)
    z = (value - expected.mean) / expected.sd
    others = {each.lot: each.z for each in every if each.lot != lot and each.run == run and each.z is not None}
    rules = broken_rules(
        [*(each.z for each in own if each.z is not None), z],
        [*(each.z for each in every if each.z is not None), z],
        list(others.values()),
    )
    about = {"expected": "given" if expected.given else "established"}
    return QcMeasurement(measure, value, not rejects(rules), lot, expected.mean, expected.sd, tuple(rules), dict(about))
