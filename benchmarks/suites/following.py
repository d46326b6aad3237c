"""Measures the screen of a moving stage: pictures a second, and how much longer a field is examined because of them."""

import math
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.interleaved import Measured, ratio_of
from benchmarks.progress import OnProgress
from benchmarks.schema import Ratio
from device.cameras.calibration import Corrector
from device.screen.displays import open_display
from device.screen.live_screen import LiveScreen
from device.screen.no_display import NoDisplay
from device.screen.patient_display import PatientDisplay
from device.session.active_faults import ActiveFaults
from device.session.camera_worker import CameraWorker
from device.session.inference_worker import InferenceWorker, ProcessorSlot
from device.session.invoke_deadline import Deadlines, InvokeDeadline
from device.session.label_hysteresis import LabelHysteresis
from device.session.session import Heartbeat, run_session
from device.session.supervisor import Supervisor
from device.store import Circumstances, Store
from device.store.recorder import Recorder
from device.system.clock import SystemClock
from device.system.systemd import Journal, Notifier
from smear.bundle.folder import Bundle
from smear.findings import Frame
from smear.inference.frame_processor import Correction, FrameProcessor, Processed
from smear.inference.pipeline import Pipeline
from smear.synthetic import SyntheticSlide

FRAME_S = 1 / 30  # of the camera
HELD_S = 1 / 3  # between the fields that are examined, as on a small board
SIZE, SLIDE = (960, 1280), (1500, 2200)  # height, width in pixels: of a frame, and of the piece of a slide under it
FIELDS = 12  # of a round
LEAST_PER_S, MOST_RATIO = 29.0, 1.05  # pictures; how much longer inference may take while they are shown


@dataclass(frozen=True, slots=True)
class Following:
    """One display against none."""

    display: str
    held: bool  # inference is held to three fields a second; else it has no pause
    pictures_per_s: float
    longest_ms: float  # between two pictures, the median of the rounds
    inference_ms: tuple[float, float]  # median without and with pictures
    ratio: Ratio | None  # of the times of a field, with pictures to without

    def faults(self) -> list[str]:
        """Return the limits that were exceeded, as sentences."""
        found = []
        if self.pictures_per_s < LEAST_PER_S:
            found.append(
                f"{self.display}: {self.pictures_per_s:.1f} pictures a second, at least {LEAST_PER_S:g} wanted"
            )
        if self.ratio is not None and self.ratio.value > MOST_RATIO:
            found.append(
                f"{self.display}: inference takes {self.ratio.value:.2f} times as long, {MOST_RATIO:g} allowed"
            )
        return found


class MovingStage:
    """A camera with thirty frames a second over a stage that a hand moves."""

    name, simulated = "stage:", True

    def __init__(self, slide: NDArray[np.uint8]) -> None:
        self._slide, self._number, self._next_s = slide, 0, time.monotonic()

    def read(self, timeout_s: float) -> Frame:
        """Return the next frame when its time has come."""
        threading.Event().wait(max(0.0, self._next_s - time.monotonic()))
        self._next_s, t = max(self._next_s + FRAME_S, time.monotonic()), self._number * FRAME_S
        (height, width), room = SIZE, (SLIDE[0] - SIZE[0], SLIDE[1] - SIZE[1])
        y, x = int(room[0] / 2 * (1 + math.sin(0.7 * t))), int(room[1] / 2 * (1 + math.sin(t)))
        image = np.ascontiguousarray(self._slide[y : y + height, x : x + width])
        self._number += 1
        return Frame(image, self.name, 0.25, self._number, time.monotonic(), time.time())

    def close(self) -> None:
        """Do nothing: no hardware is held."""


class HeldProcessor:
    """A processor that is timed, and takes a field no more often than each `every_s`."""

    def __init__(self, models: FrameProcessor, every_s: float) -> None:
        self.times_ms: list[float] = []
        self._models, self._every_s = models, every_s

    def process(self, frame: Frame) -> Processed:
        """Examine `frame`, and wait."""
        began = time.monotonic()
        processed = self._models.process(frame)
        self.times_ms.append((time.monotonic() - began) * 1e3)
        threading.Event().wait(max(0.0, began + self._every_s - time.monotonic()))
        return processed

    def use(self, correction: Correction | None) -> None:
        """Take another calibration."""
        self._models.use(correction)

    def close(self) -> None:
        """Do nothing: the models are used again."""


class _Counted(PatientDisplay):
    """Notes when each picture was shown."""

    def show(self, screen: NDArray[np.uint8]) -> None:
        super().show(screen)
        self.shown_s = [*getattr(self, "shown_s", ()), time.monotonic()]


class _Fluid(NoDisplay):
    fluid = True


def measure_following(
    bundle: Bundle, level: str, displays: Sequence[str], rounds: int, fields: int, folder: Path, on_progress: OnProgress
) -> list[Following]:
    """Measure each of `displays` against none, in turns whose order changes; `none` composes pictures all the same."""
    slide = SyntheticSlide("Pre", 3, 0.25).field_at(0, 0, SLIDE).image
    found = []
    with closing(Pipeline(bundle, level)) as pipeline:
        for number, (name, held) in enumerate((name, held) for name in displays for held in (True, False)):
            pair = {"": Measured(), name: Measured()}
            rates, longest = [], []
            for turn in range(rounds):
                on_progress(f"following the stage: {name}", (number + turn / rounds) / (2 * len(displays)))
                for each in list(pair)[:: 1 if turn % 2 else -1]:
                    hysteresis = LabelHysteresis()
                    models = HeldProcessor(FrameProcessor(pipeline, hysteresis=hysteresis), HELD_S if held else 0.0)
                    shown_s = _session(models, hysteresis, slide, each, fields, folder / f"{number}-{turn}-{len(each)}")
                    pair[each].rounds.append(models.times_ms[1:])
                    if each:
                        rates.append((len(shown_s) - 1) / (shown_s[-1] - shown_s[0]))
                        longest.append(max(np.diff(shown_s)) * 1e3)
            ratio, medians = ratio_of(pair[name], pair[""], "none"), [float(np.median(m.times)) for m in pair.values()]
            figures = float(np.median(rates)), float(np.median(longest)), (medians[0], medians[1])
            found.append(Following(name, held, *figures, ratio))
    return found


def _session(
    models: HeldProcessor,
    hysteresis: LabelHysteresis,
    slide: NDArray[np.uint8],
    display: str,
    fields: int,
    folder: Path,
) -> list[float]:
    """Examine `fields`; return when pictures were shown. `display` "" shows none."""
    clock, faults, stop = SystemClock(), ActiveFaults(Journal()), threading.Event()
    opened = {"": NoDisplay, "none": _Fluid}.get(display, lambda: open_display(display))
    shown = _Counted(opened, faults, clock)
    shown.open_first()
    camera = CameraWorker(MovingStage.name, lambda: MovingStage(slide), 5.0, faults)
    with Store.record(folder) as store:
        recorder = Recorder(store, lambda: Circumstances(simulated=True))
        recorder.start_slide("bench")
        slot = ProcessorSlot(lambda fault: models, Corrector())
        worker = InferenceWorker(camera, slot, recorder, faults, InvokeDeadline(Deadlines()), fields, hysteresis)
        screen = LiveScreen(shown, clock, faults, camera, lambda action, request: None, 5.0)
        beat = Heartbeat(Notifier(), clock, camera, worker)
        run_session(Supervisor(clock, faults), camera, worker, screen, beat, stop)
    return getattr(shown, "shown_s", [])
