"""Whether the device is cleared, at any moment and by clocks that may be wrong."""

import time
from dataclasses import replace

import pytest

from device.quality_control.measurements import QcMeasurement, QcRun, QcTest
from device.quality_control.state import QcWatch, qc_state, state_of
from device.settings import QcSettings
from device.store import Store
from device.system.clock import Moment, moment
from smear.errors import StoreError

ASKED = QcSettings(required=True)
HOUR = 3600.0
NOON = time.mktime((2026, 3, 2, 12, 0, 0, 0, 0, -1))  # local: midnight is the laboratory's
BEGUN = Moment(NOON, 1000.0, "boot-1", synced=True)
DONE = tuple(
    QcMeasurement(measure, 1.0, True, lot, at=replace(BEGUN, wall_s=NOON + n, monotonic_s=1000.0 + n))
    for n, (measure, lot) in enumerate((("location.recall", ""), ("slide.focus", "L1"), ("calibration.light", "")))
)


def later(seconds: float, **changes: object) -> Moment:
    return replace(BEGUN, wall_s=NOON + seconds, monotonic_s=1000.0 + seconds, **changes)


def state(now: Moment, measurements=DONE, settings=ASKED, simulated=False):
    return state_of([QcRun(1, "anna", BEGUN, tuple(measurements))], settings, now, simulated)


def test_all_tests_clear_the_device_since_the_last_of_them():
    assert state(later(60)).cleared
    assert state(later(60)).since == NOON + 2


@pytest.mark.parametrize(
    ("measurements", "reason"),
    [
        ((), "Location: not done"),
        (DONE[:2], "Calibration: not done"),
        ((*DONE, replace(DONE[1], passed=False)), "Slide: failed, focus (L1)"),
    ],
)
def test_what_is_missing_or_failed_is_the_reason(measurements, reason):
    assert reason in state(later(60), measurements).reasons


def test_a_repeat_that_passed_replaces_the_failure_and_only_tests_asked_for_count():
    failed = replace(DONE[1], passed=False)
    assert state(later(60), (DONE[0], failed, *DONE[1:])).cleared
    assert state(later(60), DONE[:1], QcSettings(required=True, tests=(QcTest.LOCATION,))).cleared


@pytest.mark.parametrize(
    ("now", "cleared"),
    [
        (later(11.9 * HOUR), True),  # the same day
        (later(12.1 * HOUR), False),  # past midnight
        (later(20 * HOUR, synced=False), True),  # no date known: a day by the clock of the boot
        (later(25 * HOUR, synced=False), False),
        (later(2 * HOUR, boot_id="boot-2"), True),  # after a restart, with a date that is known
        (later(2 * HOUR, boot_id="boot-2", synced=False), False),  # and with one that is not
        (replace(later(HOUR), wall_s=NOON + 40 * 24 * HOUR), True),  # the wall clock jumped; the boot's did not
    ],
)
def test_it_holds_until_midnight_by_the_clock_that_can_be_trusted(now, cleared):
    assert state(now).cleared is cleared


@pytest.mark.parametrize(("hours", "cleared"), [(7.9, True), (8.1, False)])
def test_it_holds_for_the_hours_that_are_set(hours, cleared):
    assert state(later(hours * HOUR), settings=QcSettings(required=True, valid_hours=8)).cleared is cleared


def test_a_field_exposed_before_the_last_result_was_not_cleared_and_one_before_a_new_start_was():
    assert not state(later(1.5)).cleared
    again = QcRun(2, "anna", later(100), ())
    runs = [again, QcRun(1, "anna", BEGUN, DONE)]
    assert state_of(runs, ASKED, later(99)).cleared
    assert not state_of(runs, ASKED, later(101)).cleared


def test_a_simulated_control_slide_clears_no_real_microscope():
    drawn = (DONE[0], replace(DONE[1], details={"simulated": True}), DONE[2])
    assert state(later(60), drawn).reasons == ("Slide: not done",)
    assert state(later(60), drawn, simulated=True).cleared


def test_nothing_is_asked_where_the_settings_do_not_ask(tmp_path):
    with Store.record(tmp_path) as store:
        found = qc_state(store, QcSettings(), moment())
    assert (found.cleared, found.mark, found.warning, found.to_json()) == (True, None, "", None)


def test_a_watch_reads_again_only_when_something_was_added(tmp_path, monkeypatch):
    reads = []
    with Store.record(tmp_path) as store:
        ask = store.qc_runs
        monkeypatch.setattr(store, "qc_runs", lambda limit: reads.append(limit) or ask(limit))
        watch = QcWatch(QcSettings(required=True, tests=(QcTest.LOCATION,)))
        assert [watch.state(store).cleared for _ in range(3)] == [False] * 3
        with Store.read(tmp_path) as elsewhere:
            elsewhere.add_qc("anna", [replace(DONE[0], at=BEGUN)])
        assert [watch.state(store).mark for _ in range(3)] == ["cleared"] * 3
        assert not watch.state(store, exposed_s=time.monotonic() - 60).cleared
    assert len(reads) == 2


def test_a_store_that_does_not_answer_clears_nothing(tmp_path):
    from device.store.recorder import Recorder

    with Store.record(tmp_path) as store:

        class Broken:
            def state(self, *_: object) -> None:
                raise StoreError("the database is locked")

        found = Recorder(store, quality_control=Broken()).qc_state()
    assert (found.cleared, found.reasons) == (False, ("the database is locked",))
