"""What may be asked of a running device over its control socket, and what it answers."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from device.cameras.base import Camera
from device.cameras.calibration import ProfileStore
from device.cameras.calibration.procedures import (
    BLANK_FRAMES,
    Measured,
    measured_blank,
    measured_focus,
    measured_scale,
    summary,
    typed,
)
from device.cameras.calibration.profile import OBJECTIVE_PATTERN
from device.cameras.calibration.selection import corrector_for, setup_of
from device.control.live_picture import live_picture
from device.control.protocol import ANSWER_S, ControlError
from device.control.server import Answer
from device.session.active_faults import ActiveFaults
from device.session.camera_worker import CameraWorker
from device.session.inference_worker import InferenceWorker
from device.session.results import Examined
from device.store.names import DETAILS, checked_name
from device.store.recorder import Recorder
from device.store.records import SlideDetails
from device.system.clock import Clock
from smear.errors import CameraError
from smear.findings import Frame
from smear.images import encode, encode_output
from smear.inference.overlay import draw_overlay, finding_json, refusal_json, site_json
from smear.output_files import printable

JPEG_QUALITY = 95  # of a photograph, where the request names none
_LIVE_S = 1.0  # without a result: then the state alone is told, with its faults
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
            "live": lambda _: self.live(),
            "capture": self.capture,
            "calibrate": self.calibrate,
        }

    def status(self) -> dict[str, Any]:
        """Return how the session goes."""
        newest = self._inference.results.newest
        corrector = self._inference.processors.corrector
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
            "label": newest.label if newest else None,
            "refusals": [refusal_json(each) for each in newest.refusals] if newest else [],
            "bundle_sha256": newest.bundle_sha256 if newest else "",
            "level": newest.level if newest else "",
            "runtime": newest.runtime if newest else "",
            "calibration": corrector.applied_id,
            "objective": corrector.objective,
            "warnings": list(newest.warnings if newest else corrector.notes),
            "site": site_json(newest.site) if newest else None,
            "qc": self._recorder.qc_state().to_json(),
            "data": printable(self._data),
        }

    def live(self) -> dict[str, Any]:
        """Return the state, and as soon as there is one the next result with its picture.

        Asked again and again by who shows it to others; where nobody asks, nothing is drawn.
        """
        try:
            examined = self._inference.results.next(_LIVE_S)
        except TimeoutError:
            return self.status()
        about = {"number": examined.number, "exposed_s": examined.frame.wall_time_s}
        result = finding_json("", examined.finding) | about
        return self.status() | {"result": result, "picture": live_picture(examined)}

    def start_slide(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Start a slide, ending the open one."""
        name, said = request.get("name"), {each: request.get(each) or "" for each in DETAILS}
        name = checked_name(name if isinstance(name, str) else "")
        if not all(isinstance(text, str) for text in said.values()):
            raise ControlError(f"{', '.join(DETAILS)} of a slide are texts")
        return {"slide": self._recorder.start_slide(name, SlideDetails(**said).checked()), "name": name}

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
            "calibration": self._inference.processors.corrector.applied_id,
            "warnings": [*examined.warnings, *([warning] if (warning := examined.recorded.qc.warning) else [])],
            "photograph": photograph,
            "overlay": overlay,
        }

    def calibrate(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Measure one thing, store it and use it from the next field on; or use or delete what is stored."""
        profiles, objective = ProfileStore(self._data), self._objective(request)
        kind = request.get("kind")
        if kind == "reset":
            removed = profiles.reset(request.get("profile"))
            self._use(profiles, objective)
            return {"removed": [each.id for each in removed]}
        made = self._measured(str(kind), request) if kind != "use" else None
        if objective != profiles.objective():
            profiles.use_objective(objective)
        if made is None:
            return self._use(profiles, objective)
        setup = setup_of(self._open_camera(), objective)
        stored = profiles.update(replace(setup, size=made.size or setup.size), made.change, self._clock.wall_s())
        return summary(stored) | self._use(profiles, objective)

    def _measured(self, kind: str, request: Mapping[str, Any]) -> Measured:
        division_um, pixel_size_um = request.get("division_um"), request.get("pixel_size_um")
        if kind in {"white", "flat"}:
            return measured_blank(kind, self._frames(BLANK_FRAMES), self._open_camera())
        if kind == "focus":
            examined = self._next_field()
            return measured_focus(examined.frame, examined.finding, self._inference.processors.corrector.reference)
        if kind == "scale" and isinstance(pixel_size_um, int | float):
            size = next(self._frames(1)).image.shape
            return typed(float(pixel_size_um), (size[1], size[0]))
        if kind == "scale" and isinstance(division_um, int | float):
            return measured_scale(next(self._frames(1)), float(division_um))
        if kind == "scale":
            raise ControlError("give the division of the ruling, or the pixel size")
        raise ControlError("calibrate white, flat, scale or focus")

    def _use(self, profiles: ProfileStore, objective: str) -> dict[str, Any]:
        """Correct by the profile of `objective` from the next field on; return what is in use then."""
        before = self._inference.processors.corrector
        corrector, events = corrector_for(self._open_camera(), profiles, objective, self._clock.wall_s())
        self._inference.processors.corrector = corrector
        if corrector.calibration.controls != before.calibration.controls:
            self._camera.reopen()
        return {
            "objective": objective,
            "in use": corrector.calibration.id or None,
            "warnings": [*events, *corrector.notes],
        }

    def _objective(self, request: Mapping[str, Any]) -> str:
        asked = request.get("objective") or self._inference.processors.corrector.objective
        if not isinstance(asked, str) or not re.fullmatch(OBJECTIVE_PATTERN, asked):
            raise ControlError("an objective's name has 1 to 40 letters, digits, spaces and . _ + -")
        return asked

    def _open_camera(self) -> Camera:
        camera = self._camera.camera
        if camera is None:
            raise CameraError("the camera is not there; see 'smearscope status'")
        return camera

    def _next_field(self) -> Examined:
        try:
            return self._inference.results.next(_PATIENCE_S)
        except TimeoutError:
            raise CameraError(f"no field was examined within {_PATIENCE_S:g} s; see 'smearscope status'") from None

    def _frames(self, count: int) -> Iterator[Frame]:
        """Yield frames as the camera gives them, each one a new one, and keep none."""
        frame: Frame | None = None
        deadline_s = self._clock.monotonic_s() + _PATIENCE_S
        for _ in range(count):
            try:
                frame = self._camera.next(frame, deadline_s - self._clock.monotonic_s())
            except TimeoutError:
                raise CameraError("the camera gives no frames; see 'smearscope status'") from None
            yield frame
