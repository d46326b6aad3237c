"""What is wrong now, and how often the journal is told."""

import pytest

from device.session.active_faults import ActiveFaults
from device.system.clock import ManualClock
from device.system.systemd import Journal


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(monotonic_s=1000.0)


@pytest.fixture
def faults(clock: ManualClock) -> ActiveFaults:
    return ActiveFaults(Journal({}), clock.monotonic_s)


def test_a_fault_is_there_until_it_is_resolved(faults: ActiveFaults, capsys: pytest.CaptureFixture[str]) -> None:
    faults.report("camera", "no picture")
    assert faults.current == {"camera": "no picture"}
    faults.resolve("camera")
    assert faults.current == {}
    assert capsys.readouterr().err.splitlines() == ["smearscope: no picture", "smearscope: camera: works again"]


def test_the_same_sentence_with_other_numbers_is_not_written_again(
    faults: ActiveFaults, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(100):
        faults.report("store", f"field {number:08x} was not stored")
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert faults.current == {"store": "field 00000063 was not stored"}


def test_a_fault_that_comes_and_goes_writes_two_lines_a_minute(
    faults: ActiveFaults, clock: ManualClock, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(600):  # a minute of a damaged picture that a folder with ?loop=1 gives ten times a second
        faults.report("picture", "3.png is damaged")
        faults.resolve("picture")
        clock.advance(0.1)
    assert len(capsys.readouterr().err.splitlines()) <= 2 + 2
    clock.advance(60.0)
    faults.report("picture", "3.png is damaged")
    assert capsys.readouterr().err.splitlines() == ["smearscope: 3.png is damaged"]


def test_another_fault_of_the_same_part_is_written_at_once(
    faults: ActiveFaults, capsys: pytest.CaptureFixture[str]
) -> None:
    for text in ("a is damaged", "b is too large"):
        faults.report("picture", text)
    assert len(capsys.readouterr().err.splitlines()) == 2
