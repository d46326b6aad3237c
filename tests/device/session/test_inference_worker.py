"""The inference worker: which frames it examines, which processor it uses, and what it leaves out with a reason."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.cameras.calibration import Corrector
from device.session.active_faults import ActiveFaults
from device.session.inference_worker import InferenceWorker, ProcessorSlot
from device.session.invoke_deadline import InvokeDeadline
from device.session.supervisor import Pulse, Turn
from device.store import Store
from device.store.recorder import Recorder
from device.system.clock import SystemClock
from device.system.systemd import Journal
from smear.errors import EndOfFramesError, ImageError, InferenceError
from smear.findings import Frame
from tests.device.faults import Models, picture

LOAD_S = 5.0


class Queue:
    """A camera worker that hands out what it was given, then ends."""

    stepped = True
    opened_s = 0.0

    def __init__(self, *given: Frame | Exception) -> None:
        self.given: Iterator[Frame | Exception] = iter(given)

    def take(self, timeout_s: float) -> Frame:
        got = next(self.given, EndOfFramesError("at its end"))
        if isinstance(got, Exception):
            raise got
        return got


def frame(seed: int, monotonic_s: float | None = None) -> Frame:
    taken_s = time.monotonic() if monotonic_s is None else monotonic_s
    return Frame(picture(seed), "test:", sequence=seed, monotonic_s=taken_s, wall_time_s=time.time())


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    with Store.record(tmp_path) as store:
        recorder = Recorder(store, make_tracker=None)
        recorder.start_slide("test")
        yield recorder


def worker(recorder: Recorder, camera: Queue, models: Models, fields: int | None = None) -> InferenceWorker:
    slot = ProcessorSlot(lambda fault: models, Corrector())
    return InferenceWorker(camera, slot, recorder, ActiveFaults(Journal({})), InvokeDeadline(), fields)  # type: ignore[arg-type]


def test_every_frame_is_examined_recorded_and_published(recorder):
    made = worker(recorder, Queue(*(frame(seed) for seed in range(3))), Models())
    made.work(Turn(SystemClock()))
    assert made.examined == 3
    assert made.results.newest is not None
    assert made.results.newest.number == 3
    assert recorder.store.slide(1).tally.accepted == 3


def test_it_ends_after_the_fields_asked_for(recorder):
    made = worker(recorder, Queue(*(frame(seed) for seed in range(5))), Models(), fields=2)
    made.work(Turn(SystemClock()))
    assert made.examined == 2


def test_a_picture_that_cannot_be_read_is_named_once_and_the_others_are_examined(recorder):
    broken = ImageError("b.png: damaged; copy it again")
    made = worker(recorder, Queue(frame(1), broken, broken, frame(2)), Models())
    made.work(Turn(SystemClock()))
    assert made.examined == 2
    assert made.unreadable_reasons == [str(broken)]


def test_a_frame_taken_before_the_calibration_changed_is_not_examined(recorder):
    early = frame(1, time.monotonic())
    made = worker(recorder, Queue(early), Models())
    made.processors.corrector = Corrector()
    made.work(Turn(SystemClock()))
    assert made.examined == 0


def test_a_frame_taken_before_the_camera_came_back_is_not_examined(recorder):
    camera = Queue(frame(1))
    camera.opened_s = time.monotonic() + 1
    made = worker(recorder, camera, Models())
    made.work(Turn(SystemClock()))
    assert made.examined == 0


def test_a_model_that_fails_frees_its_memory_and_ends_the_turn(recorder):
    def fails(given: Frame) -> None:
        raise InferenceError("the classifier did not answer")

    models = Models()
    models.fault = fails  # type: ignore[assignment]
    made = worker(recorder, Queue(frame(1)), models)
    with pytest.raises(InferenceError):
        made.work(Turn(SystemClock()))
    assert models.closed


def test_a_processor_is_loaded_when_it_is_first_needed_and_again_after_a_fault():
    given: list[Exception | None] = []

    def load(fault: Exception | None) -> Models:
        given.append(fault)
        return Models()

    slot, pulse = ProcessorSlot(load, Corrector()), Pulse(SystemClock())
    first = slot.current(pulse, LOAD_S)
    assert slot.current(pulse, LOAD_S) is first
    fault = InferenceError("gone")
    slot.failed(fault)
    slot.close()
    assert slot.current(pulse, LOAD_S) is not first
    assert given == [None, fault]


def test_a_successor_takes_over_at_the_next_frame_with_the_calibration_in_use():
    first, second, corrector = Models("Pre"), Models("Early"), Corrector()
    slot, pulse = ProcessorSlot(lambda fault: first, Corrector()), Pulse(SystemClock())
    slot.current(pulse, LOAD_S)
    slot.corrector = corrector
    slot.replace(second)
    assert not first.closed
    assert slot.current(pulse, LOAD_S) is second
    assert first.closed
    assert second.correction is corrector
