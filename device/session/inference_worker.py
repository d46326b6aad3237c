"""The inference worker: takes frames, has them processed, records them, and publishes the newest result."""

import time
from collections.abc import Callable
from typing import Protocol

from device.cameras.calibration import Corrector
from device.session.active_faults import ActiveFaults
from device.session.camera_worker import CameraWorker
from device.session.invoke_deadline import InvokeDeadline
from device.session.label_hysteresis import LabelHysteresis
from device.session.results import Examined, Results
from device.session.supervisor import Pulse, Turn
from device.store.recorder import Recorded, Recorder
from smear.errors import EndOfFramesError, ImageError
from smear.findings import Frame
from smear.inference.frame_processor import Correction, Processed

POLL_S = 0.1  # how soon a stop is noticed, and how often an idle screen looks for taps
MODEL = "model"
STORE = "store"
PICTURE = "picture"
_REASONS_KEPT = 20  # of pictures that cannot be read: a page at the end of a run, however long it was


class Processor(Protocol):
    """What turns a frame into a finding: `smear.inference.frame_processor.FrameProcessor`, or a stand-in."""

    def process(self, frame: Frame) -> Processed:
        """Return the corrected frame and what is concluded from it."""
        ...

    def use(self, correction: Correction | None) -> None:
        """Take another calibration from the next frame on."""
        ...

    def close(self) -> None:
        """Free the models."""
        ...


class ProcessorSlot:
    """The processor in use: loaded when it is first needed, loaded anew after a fault, replaced by a successor."""

    def __init__(self, load: Callable[[Exception | None], Processor], corrector: Corrector) -> None:
        """`load` opens a processor; it is given the fault that ended the one before."""
        self.load = load
        self._corrector = corrector
        self._current: Processor | None = None
        self._successor: Processor | None = None
        self._fault: Exception | None = None
        self.changed_s = 0.0  # when calibration or models changed last, on the clock of the boot
        self.suspended = False  # True: the chosen bundle is gone, and no field is examined until there is one

    @property
    def corrector(self) -> Corrector:
        """What corrects the frames; setting it takes effect from the next frame on."""
        return self._corrector

    @corrector.setter
    def corrector(self, corrector: Corrector) -> None:
        self._corrector = corrector
        self.changed_s = time.monotonic()
        if self._current is not None:
            self._current.use(corrector)

    def replace(self, processor: Processor) -> None:
        """Use `processor` from the next frame on."""
        self._successor = processor
        self.suspended = False

    def current(self, pulse: Pulse, load_s: float) -> Processor:
        """Return the processor for the next frame; loading one may take `load_s`."""
        if self._successor is not None:
            self._close(self._current)
            self._current, self._successor = self._successor, None
            self.changed_s = time.monotonic()
            self._current.use(self._corrector)
        if self._current is None:
            with pulse.doing("loading the models", load_s):
                self._current = self.load(self._fault)
            self._current.use(self._corrector)
        return self._current

    def failed(self, fault: Exception) -> None:
        """Load the next processor anew, because of `fault`."""
        self._fault = fault

    def close(self) -> None:
        """Free the models; safe to call twice."""
        self._close(self._current)
        self._close(self._successor)
        self._current = self._successor = None

    @staticmethod
    def _close(processor: Processor | None) -> None:
        if processor is not None:
            processor.close()


class InferenceWorker:
    """Examines frame after frame; `work` is run again, with the models loaded anew, whenever it failed."""

    def __init__(
        self,
        camera: CameraWorker,
        processors: ProcessorSlot,
        recorder: Recorder,
        faults: ActiveFaults,
        deadline: InvokeDeadline,
        fields: int | None = None,
        hysteresis: LabelHysteresis | None = None,
    ) -> None:
        """`fields` is how many to examine, None: without end. `hysteresis` is the one the processors settle with."""
        self.processors = processors
        self.results = Results()
        self.examined = 0
        self.unreadable = 0  # pictures that were not examined; a live camera gives the same again and again
        self.unreadable_reasons: list[str] = []  # each once, the first `_REASONS_KEPT`
        self.pulse: Pulse | None = None
        self._camera = camera
        self._recorder = recorder
        self._faults = faults
        self._fields = fields
        self._deadline = deadline
        self._hysteresis = hysteresis

    @property
    def waits_for_a_frame(self) -> bool:
        """True while nothing is inside the pipeline."""
        return self.pulse is not None and not self.pulse.busy

    def work(self, turn: Turn) -> None:
        """Examine until told to stop, or until nothing is left to examine.

        Raises:
            SmearscopeError: a model did not answer; the next run loads it anew.
        """
        self.pulse = self._deadline.pulse = turn.pulse
        try:
            while not turn.stop.is_set() and self.examined != self._fields:
                if self.processors.suspended:
                    turn.stop.wait(POLL_S)
                else:
                    self._examine_next(turn.pulse)
            self.results.end(EndOfFramesError(f"{self.examined} fields were examined"))
        except EndOfFramesError as error:
            self.results.end(error)
        except Exception as error:
            self.processors.failed(error)
            self.close()
            raise

    def close(self) -> None:
        """Free the models, unless one of them hangs inside an inference."""
        if self.pulse is None or not self.pulse.busy:
            self.processors.close()

    def _examine_next(self, pulse: Pulse) -> None:
        limits = self._deadline.deadlines
        processor = self.processors.current(pulse, limits.load_s)
        try:
            raw = self._camera.take(POLL_S)
        except TimeoutError:
            return
        except ImageError as error:
            self._leave_out(str(error))
            return
        if self._is_outdated(raw):
            return
        corrector = self.processors.corrector
        try:
            with pulse.doing("examining a field", limits.field_s):
                processed = processor.process(raw)
        except ImageError as error:  # what its pixel size would make of it; no model is at fault
            self._leave_out(str(error))
            return
        if self._is_outdated(raw) and not self._camera.stepped:
            return  # calibrated meanwhile: it was corrected by what no longer holds
        self._faults.resolve(PICTURE)
        frame, finding = processed.frame, processed.finding
        with pulse.doing("recording a field", limits.record_s):
            view = self._hysteresis.view if self._hysteresis is not None else None
            recorded = self._recorder.record(frame, finding, view, exposed_s=raw.monotonic_s or None)
        self._report(recorded)
        self.examined += 1
        warnings = corrector.warnings(raw, finding)
        self.results.publish(Examined(frame, finding, recorded, self.examined, warnings))

    def _is_outdated(self, raw: Frame) -> bool:
        """Return whether `raw` was taken before the camera came back, or before calibration or models changed."""
        return 0.0 < raw.monotonic_s < max(self._camera.opened_s, self.processors.changed_s)

    def _leave_out(self, reason: str) -> None:
        self._faults.report(PICTURE, reason)
        if reason in self.unreadable_reasons:
            return
        self.unreadable += 1
        if len(self.unreadable_reasons) < _REASONS_KEPT:
            self.unreadable_reasons.append(reason)

    def _report(self, recorded: Recorded) -> None:
        self._faults.resolve(MODEL)
        if recorded.fault:
            self._faults.report(STORE, f"not stored: {recorded.fault}")
        elif recorded.field_id is not None:
            self._faults.resolve(STORE)
