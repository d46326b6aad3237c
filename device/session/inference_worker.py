"""The inference part: takes frames, corrects, examines, steadies and records them, and publishes the newest result."""

import math
import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from device.cameras.calibration import Corrector
from device.cameras.latest_slot import LatestSlot
from device.session.camera_worker import CameraFeed
from device.session.label_hysteresis import Outcome, settle
from device.session.supervisor import Board, Pulse, Turn
from device.store.duplicate_fields import FieldTracker, View, describe
from device.store.recorder import Recorded, Recorder
from smear.errors import EndOfFramesError, ImageError
from smear.findings import Finding, Frame
from smear.inference.runtime import Runtime

POLL_S = 0.1  # how soon a stop is noticed, and how often an idle screen looks for taps
MODEL = "model"
STORE = "store"
PICTURE = "picture"


class Pipeline(Protocol):
    """What turns a frame into a finding: `smear.inference.pipeline.Pipeline`, or a stand-in."""

    def examine(self, frame: Frame) -> Finding:
        """Return what is concluded from `frame`."""
        ...

    def close(self) -> None:
        """Free the models."""
        ...


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long the steps of one field may take."""

    invoke_s: float = 8.0  # one inference; int8 took 0.3 s at most of 16,000 with 20 processes on two cores
    field_s: float = 60.0  # everything but recording: up to 48 cells
    record_s: float = 20.0  # beyond what the store waits for a locked database
    load_s: float = 90.0  # both models with their proof from a cold SD card


@dataclass(frozen=True, slots=True)
class Examined:
    """One frame at the end of the pipeline."""

    frame: Frame
    finding: Finding
    recorded: Recorded
    number: int  # of the session, from 1
    warnings: tuple[str, ...] = ()


class Examiner:
    """Examines frame after frame; `work` is run again, with the models loaded anew, whenever it failed."""

    def __init__(
        self,
        feed: CameraFeed,
        load: Callable[[Exception | None], Pipeline],
        recorder: Recorder,
        board: Board,
        guard: "Guard",
        fields: int | None = None,
        corrector: Corrector | None = None,
    ) -> None:
        self.examined = 0
        self.unreadable: list[str] = []  # why pictures were not examined, each reason once in a row
        self.corrector = corrector or Corrector()  # replaced whole by a calibration
        self.pulse: Pulse | None = None
        self.newest: Examined | None = None
        self._feed = feed
        self._load = load
        self._recorder = recorder
        self._board = board
        self._fields = fields
        self._guard = guard
        self._deadlines = guard.deadlines
        self._pipeline: Pipeline | None = None
        self._failed: Exception | None = None  # why the models are loaded again
        self._successor: Pipeline | None = None
        self._last_field: FieldTracker | None = None
        self._outcome: Outcome | None = None
        self._results: LatestSlot[Examined] = LatestSlot()
        self._published = threading.Condition()

    def take(self, timeout_s: float) -> Examined:
        """Return the newest result not taken yet.

        Raises:
            TimeoutError: none came within `timeout_s`.
            EndOfFramesError: all fields asked for were examined, or the camera is at its end.
        """
        return self._results.take(timeout_s, math.inf)

    def next(self, timeout_s: float) -> Examined:
        """Return the next result that comes, for whoever asks beside the screen.

        Raises:
            TimeoutError: none came within `timeout_s`.
        """
        with self._published:
            before = self.newest
            if not self._published.wait_for(lambda: self.newest is not before, timeout_s) or self.newest is None:
                raise TimeoutError
            return self.newest

    def replace(self, pipeline: Pipeline) -> None:
        """Examine with `pipeline` from the next field on."""
        self._successor = pipeline

    @property
    def waits_for_a_frame(self) -> bool:
        """True while nothing is inside the pipeline."""
        return self.pulse is not None and not self.pulse.busy

    def work(self, turn: Turn) -> None:
        """Examine until told to stop, or until nothing is left to examine.

        Raises:
            SmearscopeError: a model did not answer; the next run loads it anew.
        """
        self.pulse = self._guard.pulse = turn.pulse
        try:
            while not turn.stop.is_set() and self.examined != self._fields:
                self._examine_next(self._current(turn.pulse), turn.pulse)
            self._results.fail(EndOfFramesError(f"{self.examined} fields were examined"))
        except EndOfFramesError as error:
            self._results.fail(error)
        except Exception as error:
            self._failed = error
            self.close()
            raise

    def close(self) -> None:
        """Free the models, unless one of them hangs inside an inference."""
        for pipeline in (self._pipeline, self._successor):
            if pipeline is not None and (self.pulse is None or not self.pulse.busy):
                pipeline.close()
        self._pipeline = self._successor = None

    def _current(self, pulse: Pulse) -> Pipeline:
        """Return the pipeline to examine with: the successor of the last one, or one loaded anew."""
        if self._successor is not None:
            if self._pipeline is not None:
                self._pipeline.close()
            self._pipeline, self._successor = self._successor, None
        if self._pipeline is None:
            with pulse.doing("loading the models", self._deadlines.load_s):
                self._pipeline = self._load(self._failed)
        return self._pipeline

    def _examine_next(self, pipeline: Pipeline, pulse: Pulse) -> None:
        try:
            raw = self._feed.take(POLL_S)
        except TimeoutError:
            return
        except ImageError as error:
            self._leave_out(str(error))
            return
        corrector = self.corrector
        try:
            with pulse.doing("examining a field", self._deadlines.field_s):
                frame = corrector.correct(raw)
                finding = corrector.judge(frame, pipeline.examine(frame))
                view = describe(frame.image) if self._recorder.tracks else None
                if view is not None:
                    finding = self._steadied(view, finding)
        except ImageError as error:  # what its pixel size would make of it; no model is at fault
            self._leave_out(str(error))
            return
        self._board.clear(PICTURE)
        with pulse.doing("recording a field", self._deadlines.record_s):
            recorded = self._recorder.record(frame, finding, view)
        self._say(recorded)
        self.examined += 1
        self._publish(Examined(frame, finding, recorded, self.examined, corrector.warnings(frame, finding)))

    def _leave_out(self, reason: str) -> None:
        self._board.put(PICTURE, reason)
        if reason not in self.unreadable[-1:]:  # a live camera gives the same again and again
            self.unreadable.append(reason)

    def _steadied(self, view: View, finding: Finding) -> Finding:
        same = self._last_field is not None and self._last_field.find(view) is not None
        finding, self._outcome = settle(self._outcome if same else None, finding)
        self._last_field = FieldTracker(memory=1)
        self._last_field.remember(view)
        return finding

    def _say(self, recorded: Recorded) -> None:
        self._board.clear(MODEL)
        if recorded.fault:
            self._board.put(STORE, f"not stored: {recorded.fault}")
        elif recorded.field_id is not None:
            self._board.clear(STORE)

    def _publish(self, examined: Examined) -> None:
        self._results.put(examined)
        with self._published:
            self.newest = examined
            self._published.notify_all()


class Guard:
    """Gives every inference a deadline: the supervisor sees when it is over."""

    def __init__(self, deadlines: Deadlines | None = None) -> None:
        self.deadlines = deadlines or Deadlines()
        self.pulse: Pulse | None = None  # of the examiner's run; None while nothing is examined yet

    def wrap(self, role: str, model: Runtime) -> Runtime:
        """Return `model` under guard."""
        return _Guarded(role, model, self)


class _Guarded:
    def __init__(self, role: str, model: Runtime, guard: Guard) -> None:
        self.name, self.input_shape, self.output_shape = model.name, model.input_shape, model.output_shape
        self._what = f"an inference of the {role}"
        self._model = model
        self._guard = guard

    def invoke(self, tensor: np.ndarray) -> np.ndarray:
        """Return the model's answer; see `smear.inference.runtime.Runtime`."""
        pulse = self._guard.pulse
        with pulse.doing(self._what, self._guard.deadlines.invoke_s) if pulse else nullcontext():
            return self._model.invoke(tensor)

    def close(self) -> None:
        """Free the interpreter."""
        self._model.close()
