"""What may be asked of a running device over its control socket, and what it answers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from device.cameras import calibration
from device.cameras.calibration import Calibration, Corrector
from device.session.active_faults import ActiveFaults
from device.session.camera_worker import CameraWorker
from device.session.control_protocol import ANSWER_S, ControlError
from device.session.control_server import Answer
from device.session.inference_worker import InferenceWorker
from device.session.results import Examined
from device.store.recorder import Recorder
from device.store.slide_names import checked_name
from device.system.clock import Clock
from smear.errors import CameraError
from smear.findings import Finding, Frame
from smear.images import encode, encode_output
from smear.inference.overlay import draw_overlay, finding_json, refusal_json, site_json
from smear.output_files import printable

JPEG_QUALITY = 95  # of a photograph, where the request names none
BLANK_FRAMES = 8  # averaged: noise falls to a third
_PATIENCE_S = ANSWER_S - 5.0  # for a field or a frame: the client still gets its answer


class ControlHandlers:
    """Answers for one session."""

    def __init__(
        self,
        camera: CameraWorker,
        inference: InferenceWorker,
        recorder: Recorder,
        faults: ActiveFaults,
        data: Path,
        clock: Clock,
    ) -> None:
        self._camera = camera
        self._inference = inference
        self._recorder = recorder
        self._faults = faults
        self._data = data
        self._clock = clock
        self._began_s = clock.monotonic_s()

    def answers(self) -> dict[str, Answer]:
        """Return every command with who answers it."""
        return {
            "status": lambda _: self.status(),
            "slide start": self.start_slide,
            "slide end": lambda _: self.end_slide(),
            "capture": self.capture,
            "calibrate": self.calibrate,
        }

    def status(self) -> dict[str, Any]:
        """Return how the session goes."""
        newest = self._inference.results.newest
        known = self._inference.processors.corrector.calibration
        return {
            "fields": self._inference.examined,
            "running_s": round(self._clock.monotonic_s() - self._began_s, 1),
            "camera": self._camera.name,
            "camera_lost": self._camera.lost,
            "camera_opened": self._camera.opened,
            "simulated": self._camera.simulated,
            "faults": self._faults.current,
            "slide": newest.recorded.slide if newest else None,
            "accepted": newest.recorded.tally.accepted if newest else 0,
            "refused": newest.recorded.tally.refused if newest else 0,
            "not_stored": self._recorder.not_stored,
            "label": newest.finding.label if newest else None,
            "refusals": [refusal_json(each) for each in newest.finding.refusals] if newest else [],
            "bundle_sha256": newest.finding.bundle_sha256 if newest else "",
            "level": newest.finding.level if newest else "",
            "runtime": newest.finding.runtime if newest else "",
            "calibration": known.id or None,
            "site": site_json(newest.finding.site) if newest else None,
            "data": printable(self._data),
        }

    def start_slide(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Start a slide, ending the open one."""
        name = request.get("name")
        name = checked_name(name if isinstance(name, str) else "")
        return {"slide": self._recorder.start_slide(name), "name": name}

    def end_slide(self) -> dict[str, Any]:
        """End the open slide."""
        ended = self._recorder.end_slide()
        if ended is None:
            raise ControlError("no slide is open; start one with 'smearscope slide start NAME'")
        return {"slide": ended}

    def capture(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the next field with its photograph and overlay."""
        quality = request.get("jpeg_quality", JPEG_QUALITY)
        if type(quality) is not int or not 1 <= quality <= 100:
            raise ControlError("jpeg_quality is a whole number from 1 to 100")
        examined = self._next_field()
        overlay = encode_output(draw_overlay(examined.frame.image, examined.finding))
        photograph = encode(examined.frame.image, ".jpg", quality)
        return {
            "result": finding_json("", examined.finding),
            "camera": self._camera.name,
            "simulated": self._camera.simulated,
            "wall_time_s": examined.frame.wall_time_s,
            "photograph": photograph,
            "overlay": overlay,
        }

    def calibrate(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Measure one thing, store it and use it from the next field on."""
        known = self._inference.processors.corrector.calibration
        kind = request.get("kind")
        if kind in {"white", "flat"}:
            made = blank_calibration(known, str(kind), self._frames(BLANK_FRAMES), self._camera.camera)
        elif kind == "scale":
            made = scale_calibration(known, request, lambda: self._frames(1)[0])
        elif kind == "focus":
            made = focus_calibration(known, self._next_field().finding)
        else:
            raise ControlError("calibrate white, flat, scale or focus")
        made = calibration.save(made.model_copy(update={"camera": self._camera.name}), self._data, self._clock.wall_s())
        self._inference.processors.corrector = Corrector(made)
        if made.controls != known.controls:
            self._camera.reopen()
        return summary(made)

    def _next_field(self) -> Examined:
        try:
            return self._inference.results.next(_PATIENCE_S)
        except TimeoutError:
            raise CameraError(f"no field was examined within {_PATIENCE_S:g} s; see 'smearscope status'") from None

    def _frames(self, count: int) -> list[Frame]:
        """Return frames as the camera gives them, each one a new one."""
        found: list[Frame] = []
        deadline_s = self._clock.monotonic_s() + _PATIENCE_S
        while len(found) < count:
            try:
                found.append(self._camera.next(found[-1] if found else None, deadline_s - self._clock.monotonic_s()))
            except TimeoutError:
                raise CameraError("the camera gives no frames; see 'smearscope status'") from None
        return found


def blank_calibration(known: Calibration, kind: str, frames: list[Frame], camera: object) -> Calibration:
    """Return `known` with white balance or flat field from frames of empty glass.

    A camera that tells how it is set now keeps these settings from then on: automatic ones would undo the rest.
    """
    blank = calibration.average([frame.image for frame in frames])
    made = calibration.measure_blank(known, blank, white=kind == "white", flat=kind == "flat")
    settled = getattr(camera, "settled_controls", None)
    if not made.controls and settled is not None:
        made = made.model_copy(update={"controls": settled()})
    return made


def scale_calibration(known: Calibration, request: Mapping[str, Any], frame: Any) -> Calibration:
    """Return `known` with a pixel size, typed in or measured on the ruling that `frame()` shows."""
    pixel_size_um, division_um = request.get("pixel_size_um"), request.get("division_um")
    if isinstance(pixel_size_um, int | float):
        return calibration.typed_scale(known, float(pixel_size_um), None)
    if isinstance(division_um, int | float):
        return calibration.measure_scale(known, frame().image, float(division_um))
    raise ControlError("give the division of the ruling, or the pixel size")


def focus_calibration(known: Calibration, finding: Finding) -> Calibration:
    """Return `known` with the sharpness of a field that a person has focused as well as it goes."""
    measured = finding.quality.focus * (known.best_focus or 1.0)  # a calibrated focus is relative already
    if not finding.cells or measured <= 0:
        raise CameraError("no white cell to focus on; move to a field with cells and focus as well as it goes")
    return known.model_copy(update={"best_focus": measured})


def summary(made: Calibration) -> dict[str, Any]:
    """Return what a person wants to read of a calibration."""
    return {
        "calibration": made.id,
        "white": made.white,
        "flat": made.flat is not None,
        "pixel_size_um": made.pixel_size_um,
        "best_focus": made.best_focus,
        "controls": made.controls,
    }
