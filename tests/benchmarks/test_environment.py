import os
import time

from benchmarks.environment import LoadMonitor, disturbances, read_board
from benchmarks.schema import Board

QUIET = Board(temperature_c=50.0, throttled=0, governor="performance")


def test_a_quiet_run_has_no_disturbances() -> None:
    assert disturbances(QUIET, QUIET, 4) == ()


def test_a_loaded_run_says_so() -> None:
    (found,) = disturbances(QUIET, Board(others_busy=1.5), 4)
    assert "1.5 of 4 processors" in found


def test_a_run_that_was_disturbed_in_its_middle_says_so() -> None:
    (found,) = disturbances(QUIET, QUIET, 4, others_busy=0.9)
    assert "0.9 of 4 processors" in found


def test_a_load_that_began_before_the_run_is_said() -> None:
    (found,) = disturbances(Board(load_1min=3.0), QUIET, 4)
    assert "load average was 3.0 when the run began" in found
    assert disturbances(QUIET, Board(load_1min=2.0), 4) == ()  # afterwards it is the run's own


def test_what_this_process_does_is_not_taken_for_others() -> None:
    monitor = LoadMonitor()
    until = time.process_time() + 0.5
    while time.process_time() < until:
        pass
    own = os.cpu_count() or 1
    assert 0.0 <= monitor.others_busy() <= own


def test_a_throttled_run_says_when_and_how() -> None:
    (found,) = disturbances(QUIET, Board(throttled=0x4), 4)
    assert "throttled after the run" in found


def test_a_powersaving_governor_is_said() -> None:
    (found,) = disturbances(Board(governor="powersave"), QUIET, 4)
    assert "powersave" in found


def test_this_machine_can_be_looked_at() -> None:
    board = read_board()
    assert board.load_1min >= 0
    assert board.others_busy >= 0
