"""The camera worker: the newest frame wins, a lost camera leaves nothing that could be taken for live."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from device.session.active_faults import ActiveFaults
from device.session.camera_worker import CameraWorker
from device.session.supervisor import Turn
from device.system.clock import SystemClock
from device.system.systemd import Journal
from smear.errors import CameraError, EndOfFramesError, ImageError
from smear.findings import Frame
from tests.device.faults import DEADLINE_S, Microscope, picture

TIMEOUT_S = 0.2


def camera_worker(name: str, opener: Callable[[], object]) -> CameraWorker:
    return CameraWorker(name, opener, TIMEOUT_S, ActiveFaults(Journal({})))  # type: ignore[arg-type]


@contextmanager
def running(worker: CameraWorker) -> Iterator[Turn]:
    """Run `worker` in a thread of its own, as the supervisor does."""
    turn = Turn(SystemClock())
    errors: list[Exception] = []

    def work() -> None:
        try:
            worker.work(turn)
        except CameraError as error:
            errors.append(error)
            turn.error = error
        turn.ended.set()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield turn
    finally:
        turn.stop.set()
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


class Pictures:
    """A finite camera whose stage moves at every read; an exception among them is raised."""

    name, simulated = "files:/pictures", False

    def __init__(self, *given: Frame | Exception) -> None:
        self.given, self.closed = iter(given), False

    def read(self, timeout_s: float) -> Frame:
        got = next(self.given, EndOfFramesError("at its end"))
        if isinstance(got, Exception):
            raise got
        return got

    def close(self) -> None:
        self.closed = True


def frame(seed: int) -> Frame:
    return Frame(picture(seed), "files:/pictures", sequence=seed)


def test_every_picture_of_a_folder_is_handed_out_in_its_order():
    camera = Pictures(*(frame(seed) for seed in range(4)))
    worker = camera_worker(camera.name, lambda: camera)
    with running(worker):
        assert [worker.take(DEADLINE_S).sequence for _ in range(4)] == [0, 1, 2, 3]
        with pytest.raises(EndOfFramesError):
            worker.take(DEADLINE_S)
    assert camera.closed


def test_large_pictures_are_not_read_ahead_and_none_is_skipped(monkeypatch):
    monkeypatch.setattr("device.session.camera_worker.AHEAD_BYTES", 1)
    reads: list[int] = []
    camera = Pictures(*(frame(seed) for seed in range(30)))
    read = camera.read
    camera.read = lambda timeout_s: (reads.append(1), read(timeout_s))[1]  # type: ignore[method-assign]
    worker = camera_worker(camera.name, lambda: camera)
    with running(worker):
        for number in range(30):
            assert worker.take(DEADLINE_S).sequence == number
            assert len(reads) == number + 1


def test_a_picture_that_cannot_be_read_is_reported_and_the_next_one_follows():
    camera = Pictures(ImageError("a.png: damaged"), frame(7))
    worker = camera_worker(camera.name, lambda: camera)
    with running(worker):
        with pytest.raises(ImageError, match=r"a\.png"):
            worker.take(DEADLINE_S)
        assert worker.take(DEADLINE_S).sequence == 7


def test_of_a_live_camera_only_the_newest_frame_is_handed_out():
    camera = Microscope()
    worker = camera_worker(camera.name, camera.open)
    with running(worker):
        first = worker.take(DEADLINE_S)
        newer = worker.next(worker.next(first, DEADLINE_S), DEADLINE_S)
        assert worker.take(DEADLINE_S).sequence >= newer.sequence > first.sequence


def test_a_lost_camera_leaves_no_picture_behind():
    camera = Microscope()
    worker = camera_worker(camera.name, camera.open)
    with running(worker) as turn:
        worker.take(DEADLINE_S)
        camera.plugged = False
        assert turn.ended.wait(DEADLINE_S)
        assert isinstance(turn.error, CameraError)
        assert worker.newest is None
        assert worker.lost
    assert camera.closed == camera.opened


def test_a_camera_is_reopened_for_other_controls():
    camera = Microscope()
    worker = camera_worker(camera.name, camera.open)
    with running(worker):
        seen = worker.take(DEADLINE_S)
        worker.reopen()
        while worker.opened < 2:
            seen = worker.next(seen, DEADLINE_S)
    assert (camera.opened, camera.closed) == (2, 2)


def test_a_camera_that_nobody_took_is_given_back():
    camera = Microscope()
    worker = camera_worker(camera.name, camera.open)
    worker.open_first()
    worker.close()
    assert (camera.opened, camera.closed) == (1, 1)
