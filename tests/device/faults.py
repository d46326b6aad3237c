"""A session for fault tests: all real but the camera, models and display, which fail on request."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from device.cameras.base import Camera
from device.cameras.calibration import Corrector
from device.commands.recording import circumstances
from device.screen.display import Display
from device.screen.live_screen import LiveScreen
from device.screen.no_display import NoDisplay
from device.screen.patient_display import PatientDisplay
from device.session.active_faults import ActiveFaults
from device.session.camera_worker import CameraWorker
from device.session.inference_worker import InferenceWorker, ProcessorSlot
from device.session.invoke_deadline import Deadlines, InvokeDeadline
from device.session.results import Examined
from device.session.session import Heartbeat, run_session
from device.session.supervisor import Part, Policy, Supervisor
from device.store import Store
from device.store.duplicate_fields import FieldTracker
from device.store.recorder import Recorder
from device.system.clock import SystemClock
from device.system.systemd import Journal, Notifier
from smear.errors import CameraError
from smear.findings import Finding, Frame
from smear.inference.frame_processor import Correction, Processed
from tests.device.findings import TOO_DARK, finding

DEADLINE_S = 30.0  # for what takes milliseconds on a machine that is not busy
QUICK = Policy(first_s=0.01, most_s=0.02, restarts=5, window_s=60.0)


def picture(seed: int, shape: tuple[int, int] = (96, 128)) -> np.ndarray:
    """A picture of one position on a slide; each seed is another position."""
    blocks = np.random.default_rng(seed).integers(40, 220, (shape[0] // 8, shape[1] // 8, 3), np.uint8)
    return np.kron(blocks, np.ones((8, 8, 1), np.uint8))


class Microscope:
    """A live camera whose stage moves at every frame, until `fault` is set."""

    simulated = False

    def __init__(self, name: str = "v4l2:/dev/test") -> None:
        self.name = name
        self.plugged = True
        self.pace = threading.Event()
        self.fault: Callable[[], Frame] | None = None
        self.opened = 0
        self.closed = 0
        self.frames = 0

    def open(self) -> Camera:
        if not self.plugged:
            raise CameraError(f"camera {self.name}: no such device; plug the camera in")
        self.opened += 1
        return self

    def frame(self, image: np.ndarray | None = None) -> Frame:
        self.frames += 1
        pixels = picture(self.frames) if image is None else image
        return Frame(pixels, self.name, None, self.frames, time.monotonic(), time.time())

    def read(self, timeout_s: float) -> Frame:
        self.pace.wait(0.01)  # a hundred frames a second
        if not self.plugged:
            raise CameraError(f"camera {self.name} was lost; check its cable")
        return self.fault() if self.fault else self.frame()

    def close(self) -> None:
        self.closed += 1


class Models:
    """A pipeline that finds Pre, or does what `fault` does."""

    def __init__(self, label: str = "Pre") -> None:
        self.label = label
        self.fault: Callable[[Frame], Finding] | None = None
        self.closed = False
        self.correction: Correction | None = None

    def process(self, frame: Frame) -> Processed:
        if self.fault:
            return Processed(frame, self.fault(frame))
        frame = frame if self.correction is None else self.correction.correct(frame)
        if frame.image.max() < 10:
            return Processed(frame, finding(None, (TOO_DARK,)))
        return Processed(frame, finding(self.label))

    def use(self, correction: Correction | None) -> None:
        self.correction = correction

    def close(self) -> None:
        self.closed = True


@dataclass
class Bench:
    """One running session."""

    folder: Path
    camera: Microscope = field(default_factory=Microscope)
    models: Models = field(default_factory=Models)
    open_display: Callable[[], Display] = NoDisplay
    notifier: Notifier = field(default_factory=lambda: Notifier({}))
    deadlines: Deadlines = field(default_factory=Deadlines)
    timeout_s: float = 0.2
    parts: Callable[["Bench"], list[Part]] = lambda bench: []
    policy: Policy = QUICK
    start_over: Callable[[], Store] | None = None
    store: Store | None = None
    count_once: bool = False

    def __post_init__(self) -> None:
        self.clock = SystemClock()
        self.faults = ActiveFaults(Journal({}))
        self.seen: list[Examined] = []
        self.error: BaseException | None = None
        self.stop = threading.Event()
        self._changed = threading.Condition()
        self.store = self.store or Store.record(self.folder, busy_timeout_s=0.05)
        tracker = FieldTracker if self.count_once else None
        self.recorder = Recorder(
            self.store, lambda: circumstances(False, self.processors.corrector), tracker, start_over=self.start_over
        )
        self.feed = CameraWorker(self.camera.name, self.camera.open, self.timeout_s, self.faults)
        self.guard = InvokeDeadline(self.deadlines)
        self.processors = ProcessorSlot(lambda _: self.models, Corrector())
        self.examiner = InferenceWorker(self.feed, self.processors, self.recorder, self.faults, self.guard)
        self.display = PatientDisplay(lambda: self.open_display(), self.faults, self.clock, policy=self.policy)
        self.screen = LiveScreen(self.display, self.clock, self.faults, self.feed, lambda action, request: None, 5.0)
        self.thread = threading.Thread(target=self._run, name="bench", daemon=True)

    def __enter__(self) -> "Bench":
        self.recorder.start_slide("faults")
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join(DEADLINE_S)
        assert not self.thread.is_alive()
        self.recorder.store.close()

    def fields(self, more: int = 1) -> None:
        """Wait until `more` fields than now reached the end of the pipeline."""
        wanted = len(self.seen) + more
        self.until(lambda: len(self.seen) >= wanted)

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until `holds`; asked again at every turn of the session's loop."""
        with self._changed:
            done = self._changed.wait_for(lambda: holds() or not self.thread.is_alive(), DEADLINE_S)
        assert done, (self.faults.current, self.error)
        assert holds(), (self.faults.current, self.error)

    def ended(self) -> str:
        """Wait for the session to end by itself and return its error message."""
        self.thread.join(DEADLINE_S)
        assert not self.thread.is_alive()
        return str(self.error or "")

    def _run(self) -> None:
        supervisor = Supervisor(self.clock, self.faults, self.policy)
        heartbeat = Heartbeat(self.notifier, self.clock, self.feed, self.examiner)
        heartbeat.beat = self._after(heartbeat.beat)  # type: ignore[method-assign]
        try:
            run_session(
                supervisor, self.feed, self.examiner, self.screen, heartbeat, self.stop, self.seen.append,
                self.parts(self),
            )  # fmt: skip
        except BaseException as error:  # noqa: BLE001 - handed to the test
            self.error = error
        finally:
            with self._changed:
                self._changed.notify_all()

    def _after(self, beat: Callable[..., None]) -> Callable[..., None]:
        def beat_and_notify(*arguments: object) -> None:
            beat(*arguments)
            with self._changed:
                self._changed.notify_all()

        return beat_and_notify
