"""The live session: every field of a folder, only the newest of a camera, and a clean end in each case."""

import threading
from pathlib import Path

import numpy as np
import pytest

from device.cameras.calibration import Corrector
from device.cameras.registry import open_camera
from device.session.active_faults import ActiveFaults
from device.session.camera_worker import CameraWorker
from device.session.inference_worker import InferenceWorker, ProcessorSlot
from device.session.invoke_deadline import InvokeDeadline
from device.session.results import Examined
from device.session.session import Heartbeat, run_session
from device.session.supervisor import Policy, Supervisor
from device.store import Circumstances, Store
from device.store.recorder import Recorder, SeenAgain
from device.system.clock import SystemClock
from device.system.systemd import Journal, Notifier
from smear.errors import ImageError, InferenceError, SmearscopeError
from smear.findings import Finding, Frame
from smear.images import write_image
from smear.inference.frame_processor import Correction, Processed
from tests.device.findings import OUT_OF_FOCUS, UNCERTAIN, finding

TIMEOUT_S = 5.0


class Labels:
    """A processor that gives each frame the next of its findings."""

    def __init__(self, *findings: Finding) -> None:
        self.findings = findings
        self.seen: list[Frame] = []

    def process(self, frame: Frame) -> Processed:
        self.seen.append(frame)
        return Processed(frame, self.findings[(len(self.seen) - 1) % len(self.findings)])

    def use(self, correction: Correction | None) -> None:
        pass

    def close(self) -> None:
        pass


class Wall:
    """A screen that keeps what it was asked to show."""

    follows = False

    def __init__(self) -> None:
        self.shown: list[Examined] = []
        self.closed = self.cleared = False

    def show(self, examined: Examined) -> None:
        self.shown.append(examined)
        self.cleared = False

    def idle(self, newest: Frame | None, lost: bool) -> None:
        self.cleared = lost

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def store(tmp_path):  # type: ignore[no-untyped-def]
    with Store.record(tmp_path / "data") as opened:
        yield opened


@pytest.fixture
def folder(tmp_path) -> Path:
    """Five different pictures."""
    (tmp_path / "fields").mkdir()
    for number in range(5):
        blocks = np.random.default_rng(number).integers(0, 256, (24, 24, 3), np.uint8)
        write_image(tmp_path / "fields" / f"{number}.png", np.kron(blocks, np.ones((10, 10, 1), np.uint8)))
    return tmp_path / "fields"


def session(store, camera, pipeline, fields=None, on_examined=lambda *_: None, **options):  # type: ignore[no-untyped-def]
    recorder = Recorder(store, **options)
    slide = recorder.start_slide("test")
    faults, clock = ActiveFaults(Journal({})), SystemClock()
    feed = CameraWorker(camera.name, lambda: camera, TIMEOUT_S, faults)
    examiner, screen, stop = (
        InferenceWorker(
            feed, ProcessorSlot(lambda _: pipeline, Corrector()), recorder, faults, InvokeDeadline(), fields
        ),
        Wall(),
        threading.Event(),
    )
    supervisor = Supervisor(clock, faults, Policy(first_s=0.01, most_s=0.01, restarts=2))
    heartbeat = Heartbeat(Notifier({}), clock, feed, examiner)
    try:
        run_session(supervisor, feed, examiner, screen, heartbeat, stop, lambda examined: on_examined(examined, stop))
    finally:
        assert screen.closed
        recorder.end_slide()
    return store.slide(slide), examiner, screen


def test_every_picture_of_a_folder_is_examined_once_and_in_order(store, folder):
    pipeline = Labels(finding())
    slide, examiner, screen = session(store, open_camera(f"files:{folder}"), pipeline)
    assert [Path(frame.source).name for frame in pipeline.seen] == [f"{n}.png" for n in range(5)]
    assert slide.tally.accepted == examiner.examined == 5
    assert screen.shown[-1].number == 5
    assert not screen.cleared, "the last field stays on the screen"
    assert slide.ended_s is not None


def test_it_ends_after_the_fields_asked_for(store, folder):
    slide, examiner, _ = session(store, open_camera(f"files:{folder}?loop=1"), Labels(finding()), fields=3)
    assert slide.tally.total == examiner.examined == 3


def test_fields_seen_again_are_not_counted_again(store, folder):
    slide, examiner, _ = session(store, open_camera(f"files:{folder}?loop=1"), Labels(finding()), fields=15)
    assert examiner.examined == 15
    assert slide.tally.accepted == 5


def test_a_refused_field_counts_once_it_is_accepted(store, folder):
    one = folder / "0.png"
    blurred = finding(None, (OUT_OF_FOCUS,))
    pipeline = Labels(blurred, blurred, finding(), finding())
    slide, _, _ = session(store, open_camera(f"files:{one}?loop=1"), pipeline, fields=4)
    assert (slide.tally.accepted, slide.tally.refused, slide.tally.seen_again) == (1, 0, 2)
    assert [record.label for record in store.all_fields(slide.id)] == ["Pre"]


def test_doubtful_fields_wait_for_review_and_blurred_ones_do_not(store, folder):
    pipeline = Labels(
        finding(None, (UNCERTAIN,)),
        finding(None, (OUT_OF_FOCUS,)),
    )
    session(store, open_camera(f"files:{folder}"), pipeline, fields=2)
    assert [record.refusals for record in store.to_review()] == [(UNCERTAIN,)]


def test_an_unreadable_picture_is_named_and_the_others_are_done(store, folder):
    (folder / "2.png").write_bytes(b"no picture")
    slide, examiner, _ = session(store, open_camera(f"files:{folder}"), Labels(finding()))
    assert slide.tally.accepted == 4
    assert examiner.unreadable == 1
    assert "2.png" in examiner.unreadable_reasons[0]


def test_a_picture_that_its_pixel_size_makes_too_large_is_named_once_and_the_others_are_done(store, folder):
    class Giants(Labels):
        def process(self, frame):
            found = super().process(frame)
            if frame.source.endswith(("1.png", "2.png")):
                raise ImageError(f"{frame.source}: too large")
            return found

    slide, examiner, _ = session(store, open_camera(f"files:{folder}"), Giants(finding()))
    assert slide.tally.accepted == 3
    assert [text[-16:] for text in examiner.unreadable_reasons] == ["1.png: too large", "2.png: too large"]


def test_a_stop_ends_it_with_everything_stored(store, folder):
    def stop_after_two(examined: Examined, stop: threading.Event) -> None:
        if examined.number >= 2:
            stop.set()

    slide, examiner, _ = session(
        store, open_camera(f"files:{folder}?loop=1"), Labels(finding()), on_examined=stop_after_two, make_tracker=None
    )
    assert slide.tally.accepted == examiner.examined >= 2
    assert slide.ended_s is not None


def test_a_model_that_does_not_answer_ends_it_with_its_reason(store, folder):
    class Silent:
        def process(self, frame: Frame) -> Processed:
            raise InferenceError("the segmenter did not answer within 2 s")

        def close(self) -> None:
            pass

        def use(self, correction: Correction | None) -> None:
            pass

    with pytest.raises(SmearscopeError, match=r"3 times .* did not answer"):
        session(store, open_camera(f"files:{folder}"), Silent())


def test_a_defect_in_the_pipeline_does_not_leave_the_session_hanging(store, folder):
    class Defect:
        def process(self, frame: Frame) -> Processed:
            raise IndexError("list index out of range")

        def close(self) -> None:
            pass

        def use(self, correction: Correction | None) -> None:
            pass

    with pytest.raises(Exception, match="IndexError"):
        session(store, open_camera(f"files:{folder}"), Defect())


def test_no_slide_open_means_nothing_is_recorded(store, folder):
    recorder = Recorder(store)
    recorded = recorder.record(Frame(np.zeros((64, 64, 3), np.uint8), "x"), finding())
    assert recorded.slide is None
    assert recorded.field_id is None
    assert store.slides() == []


def test_a_field_that_could_not_be_stored_is_recorded_when_it_is_seen_again(tmp_path):
    from device.store import Retention

    free = [0]
    with Store.record(tmp_path, Retention(min_free_bytes=10, free_bytes=lambda _: free[0])) as store:
        recorder = Recorder(store, lambda: Circumstances(simulated=True))
        slide = recorder.start_slide("full")
        frame = Frame(np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8), "x")
        failed = recorder.record(frame, finding())
        assert "must stay free" in failed.fault
        assert failed.tally.accepted == 0
        free[0] = 100
        assert recorder.record(frame, finding()).field_id is not None
        assert recorder.record(frame, finding()).seen_again is SeenAgain.COUNTED
        assert recorder.not_stored == 1
        assert store.slide(slide).tally.accepted == 1
        assert store.slide(slide).simulated
