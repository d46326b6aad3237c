"""Controls of a lot, the location test, and what a slide measures."""

from dataclasses import replace

import pytest

from device.cameras.calibration import Calibration
from device.quality_control.control_slide import calibration_test, slide_measures
from device.quality_control.location import location_test
from device.quality_control.measurements import Expected, QcMeasurement, expected_of, judged
from device.quality_control.westgard import Rule
from device.store import Circumstances, Store
from smear.errors import StoreError
from tests.device.findings import OUT_OF_FOCUS, finding, frame

TEXTBOOK = Expected(200.0, 4.0)
CALIBRATED = Calibration(id="cal-1", glass=(204.0, 204.0, 204.0), best_focus=0.1)


def series(values, lot="L1", given=None):
    history: list[QcMeasurement] = []
    for run, value in enumerate(values, 1):
        history.append(replace(judged("slide.cells", value, lot, history, given, run), run=run))
    return history


@pytest.fixture
def fields(tmp_path):
    with Store.record(tmp_path) as store:
        slide = store.start_slide("control")
        for n in range(12):
            found = finding("Pre", (OUT_OF_FOCUS,) if n < 3 else ())
            store.add_field(slide, frame(n), found, Circumstances(calibration_id="cal-1" if n else None))
        yield list(store.all_fields(slide))


def test_the_first_20_runs_establish_what_a_lot_should_measure():
    history = series([10.0, 12.0] * 10 + [11.0])
    assert [each.mean for each in history[:20]] == [None] * 20
    assert all(each.passed for each in history[:20])
    assert history[20].mean == 11.0
    assert history[20].sd == pytest.approx(1.026, abs=0.001)
    assert expected_of("slide.cells", history[:19]) is None


def test_a_constant_control_does_not_make_the_smallest_change_a_fault():
    expected = expected_of("slide.cells", series([10.0] * 20))
    assert expected == Expected(10.0, 0.1, given=False)


def test_what_a_person_gives_holds_from_then_on_and_comes_before_what_was_established():
    history = series([10.0, 12.0] * 10)
    first = judged("slide.cells", 20.0, "L1", history, Expected(20.0, 1.0))
    after = judged("slide.cells", 24.0, "L1", [*history, first])
    assert first.passed
    assert (after.mean, after.sd, after.rules, after.passed) == (20.0, 1.0, (Rule.ONE_3S, Rule.WARNING), False)


def test_two_lots_of_one_run_are_held_against_each_other():
    one = replace(judged("slide.cells", 210.0, "high", [], TEXTBOOK, 1), run=1)
    assert judged("slide.cells", 190.0, "low", [one], TEXTBOOK, 1).rules == (Rule.RANGE_4S, Rule.WARNING)
    assert judged("slide.cells", 190.0, "low", [one], TEXTBOOK, 2).rules == (Rule.WARNING,)  # another run


@pytest.mark.parametrize(("found", "missed", "passed"), [(196, 4, True), (190, 10, True), (189, 11, False)])
def test_the_location_test_is_a_share_with_its_interval_and_a_limit(found, missed, passed):
    measured = location_test(found, missed, 0.95)
    assert measured.value == found / 200
    assert measured.passed is passed
    assert measured.details["low"] < measured.value < measured.details["high"]


def test_fewer_than_200_cells_are_no_location_test():
    with pytest.raises(StoreError, match="at least 200 cells, found and missed together, not 199"):
        location_test(190, 9, 0.95)


def test_a_control_slide_is_measured_over_its_distinct_fields(fields):
    measured = slide_measures(fields, [50.0, 70.0])
    assert measured["slide.accepted"] == 0.75
    assert (measured["slide.cells"], measured["slide.cell_area"], measured["slide.focus"]) == (2.0, 60.0, 1.0)
    assert "slide.cell_area" not in slide_measures(fields, [])
    assert "slide.colour_drift" not in measured  # no white was calibrated
    drifting = [replace(each, colour_drift=2.0) for each in fields]
    assert slide_measures(drifting, [])["slide.colour_drift"] == 2.0
    with pytest.raises(StoreError, match="9 fields, and 10 are needed"):
        slide_measures(fields[:9], [])


def test_a_slide_is_held_against_the_calibration_in_force_by_the_fields_recorded_under_it(fields):
    measured = {each.measure: each for each in calibration_test(fields, CALIBRATED)}
    assert {name: each.passed for name, each in measured.items()} == dict.fromkeys(
        ("calibration.focus", "calibration.light", "calibration.white"), True
    )
    assert measured["calibration.light"].value == pytest.approx(1.0)
    assert measured["calibration.light"].details["fields"] == 11
    darker = calibration_test(fields, CALIBRATED.model_copy(update={"glass": (255.0, 255.0, 255.0)}))
    assert [each.passed for each in darker] == [True, False, True]


@pytest.mark.parametrize(
    ("known", "message"),
    [
        (Calibration(id="cal-1", best_focus=0.1), "has no white; run 'smearscope calibrate white'"),
        (Calibration(id="cal-1", glass=(204.0, 204.0, 204.0)), "has no focus; run 'smearscope calibrate focus'"),
        (CALIBRATED.model_copy(update={"id": "cal-2"}), r"0 of 12 fields were recorded under .* \(cal-2\)"),
    ],
)
def test_without_a_whole_calibration_nothing_is_compared(fields, known, message):
    with pytest.raises(StoreError, match=message):
        calibration_test(fields, known)
