"""What the screen is told of the board."""

from pathlib import Path

import pytest

from device.session.health_worker import BoardState, HealthWorker
from device.session.supervisor import Turn
from device.system.clock import ManualClock
from device.system.health import Health, slowed

GIGABYTE = 10**9


def test_the_board_is_read_before_the_first_wait(tmp_path: Path) -> None:
    turn = Turn(ManualClock())

    def synced() -> bool:
        turn.stop.set()
        return False

    worker = HealthWorker(tmp_path, GIGABYTE, lambda: Health(50.0, 0), lambda folder: 3 * GIGABYTE, synced)
    assert worker.newest is None
    worker.work(turn)
    assert worker.newest == BoardState(Health(50.0, 0), 3 * GIGABYTE, False, False)


def test_a_disk_is_nearly_full_before_the_oldest_slides_go(tmp_path: Path) -> None:
    worker = HealthWorker(tmp_path, GIGABYTE, free_bytes=lambda folder: 2 * GIGABYTE - 1)
    worker.look()
    assert worker.newest is not None
    assert worker.newest.nearly_full


def test_a_disk_that_was_taken_out_is_not_called_full(tmp_path: Path) -> None:
    worker = HealthWorker(tmp_path / "gone", GIGABYTE)
    worker.look()
    assert worker.newest is not None
    assert (worker.newest.free_bytes, worker.newest.nearly_full) == (None, False)


@pytest.mark.parametrize(
    ("bits", "word"), [(None, ""), (0, ""), (0x50000, ""), (0x50005, "undervoltage"), (0xE0008, "throttled")]
)
def test_only_what_slows_the_board_down_now_is_said(bits: int | None, word: str) -> None:
    assert slowed(bits) == word
