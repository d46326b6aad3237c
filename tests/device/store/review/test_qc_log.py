"""The log of quality controls: added to, never changed, and in the audit trail of the slides that were read."""

import sqlite3

import pytest

from device.quality_control.measurements import QcMeasurement
from device.quality_control.westgard import Rule
from device.store import Store
from smear.errors import StoreError

PASSED, FAILED = (
    QcMeasurement("slide.focus", value, passed, "L1", 0.5, 0.1, rules, {"expected": "given"})
    for value, passed, rules in ((0.5, True, ()), (0.9, False, (Rule.ONE_3S, Rule.WARNING)))
)
FORMULA = "=cmd|' /C calc'!A0"
HTML = "<script>alert(1)</script>"


@pytest.fixture
def store(tmp_path):
    with Store.record(tmp_path) as opened:
        yield opened


def test_measurements_come_back_as_they_were_recorded(store):
    added = store.add_qc("anna", [FAILED])
    assert store.qc("slide.focus", "L1") == added
    assert (added[0].operator, added[0].run, added[0].rules) == ("anna", 1, (Rule.ONE_3S, Rule.WARNING))
    assert [run.measurements for run in store.qc_runs()] == [tuple(added)]


def test_results_join_the_newest_quality_control_until_another_is_begun(store):
    assert store.begin_qc("anna").id == 1
    assert [store.add_qc("ben", [PASSED], begin=begin)[0].run for begin in (False, True, False)] == [1, 2, 2]
    assert store.qc_version() == (2, 3)


def test_a_pass_after_a_failure_needs_a_reason(store):
    store.add_qc("anna", [FAILED])
    with pytest.raises(StoreError, match="say with --reason what was done"):
        store.add_qc("anna", [PASSED])
    assert len(store.qc()) == 1
    assert store.add_qc("anna", [PASSED], reason="lamp changed")[0].reason == "lamp changed"
    store.add_qc("anna", [PASSED])  # and no further one


@pytest.mark.parametrize("table", ["qc_measurements", "qc_runs"])
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET operator = 'eve'"])
def test_nothing_recorded_changes_or_goes(store, table, change):
    store.add_qc("anna", [FAILED])
    with pytest.raises(sqlite3.IntegrityError, match="never changes"):
        store._database._connection.execute(change.format(table))


def test_a_measurement_of_a_slide_is_in_its_audit_trail_and_outlives_it(store):
    slide = store.start_slide("control")
    store.add_qc("anna", [QcMeasurement("slide.focus", 0.5, False, slide_id=slide)])
    event = store.events(slide)[-1]
    assert (event.operator, event.action, event.new) == ("anna", "qc", "slide.focus 0.5 failed")


@pytest.mark.parametrize("name", ["", "a\x1b[2J", "b\nc", "x" * 41])
def test_names_that_no_line_can_show_are_refused(store, name):
    with pytest.raises(StoreError, match="an operator's name has 1 to 40 printable characters"):
        store.add_qc(name, [PASSED])
    assert store.qc_runs() == []


def test_a_row_that_the_disk_has_damaged_did_not_pass(store):
    store.add_qc("anna", [PASSED])
    connection = store._database._connection
    connection.execute("DROP TRIGGER qc_never_changes")
    for column, value in (("value", "x"), ("details", "{"), ("value", float("inf"))):
        connection.execute(f"UPDATE qc_measurements SET {column} = ?", (value,))
        assert not store.qc()[0].passed
