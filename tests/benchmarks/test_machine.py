from benchmarks.machine import doubts, read_board
from benchmarks.schema import Board

QUIET = Board(temperature_c=50.0, throttled=0, governor="performance")


def test_a_quiet_run_raises_no_doubt() -> None:
    assert doubts(QUIET, QUIET, 4) == ()


def test_a_loaded_run_says_so() -> None:
    (said,) = doubts(QUIET, Board(others_busy=1.5), 4)
    assert "1.5 of 4 processors" in said


def test_a_throttled_run_says_when_and_how() -> None:
    (said,) = doubts(QUIET, Board(throttled=0x4), 4)
    assert "throttled after the run" in said


def test_a_powersaving_governor_is_said() -> None:
    (said,) = doubts(Board(governor="powersave"), QUIET, 4)
    assert "powersave" in said


def test_this_machine_can_be_looked_at() -> None:
    board = read_board()
    assert board.load_1min >= 0
    assert board.others_busy >= 0
