"""The one way of a frame: correct, observe, decide, settle. Live, in files, in training and in the benchmarks."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from smear.classes import LABELS
from smear.findings import Finding, Frame
from smear.imaging.field_quality import Reference
from smear.imaging.pixel_size import estimate_pixel_size
from smear.inference.pipeline import EstimateScale, Observation, Pipeline
from smear.inference.quality_gate import Decision, Limits, QualityGate
from smear.inference.stopwatch import Stopwatch
from smear.memory import memory_for
from smear.site import CameraProfile, SiteStatus


class Correction(Protocol):
    """What a calibration does to every frame, and what it says of a good one."""

    @property
    def reference(self) -> Reference:
        """What the gate compares the frame with that was corrected last."""
        ...

    def correct(self, frame: Frame) -> Frame:
        """Return `frame` in neutral, even light and with its scale."""
        ...


class SiteCheck(Protocol):
    """What knows whether this bundle was checked at the site: `device.site.watch.SiteWatch`, or a stand-in."""

    def status(self, profile: CameraProfile | None) -> SiteStatus:
        """Return whether a certificate holds now for the camera `profile`; None: for the one that is calibrated."""
        ...


class Hysteresis(Protocol):
    """What keeps a label from flickering while the same field is in view."""

    def settle(self, frame: Frame, finding: Finding) -> Finding:
        """Return `finding`, or the same refused as long as it differs from the last one on this field."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Processed:
    """A frame at the end of its way."""

    frame: Frame  # corrected: what was looked at, and what is kept
    finding: Finding


class FrameProcessor:
    """Turns frames into findings, with one bundle at one level."""

    def __init__(
        self,
        pipeline: Pipeline,
        limits: Limits | None = None,
        correction: Correction | None = None,
        hysteresis: Hysteresis | None = None,
        clock: Callable[[], float] = time.perf_counter,
        site: SiteCheck | None = None,
        estimate_scale: EstimateScale = estimate_pixel_size,
    ) -> None:
        """`correction` and `hysteresis` are for a camera, and so is `SteadyScale`; a picture from a file needs none.

        `clock` gives the seconds by which `Finding.timing_ms` is measured. `site` is asked at every frame, as a
        certificate may be made, revoked or expire meanwhile; None: the answers belong to no site.
        """
        self.pipeline = pipeline
        self._limits = limits or Limits()
        self._hysteresis = hysteresis
        self._clock = clock
        self._site = site
        self._estimate_scale = estimate_scale
        self.use(correction)

    def use(self, correction: Correction | None) -> None:
        """Take another calibration from the next frame on; None: take frames as they are."""
        self._correction = correction

    def process(self, frame: Frame) -> Processed:
        """Return `frame` as corrected, and what is concluded from it.

        Raises:
            ImageError: its pixel size makes the frame too large to examine, or it needs more memory than there is.
            InferenceError: a model did not answer.
        """
        height, width = frame.image.shape[:2]
        with memory_for(f"{frame.source}: a field of {width}x{height} pixels"):
            return self._processed(frame)

    def _processed(self, frame: Frame) -> Processed:
        stopwatch, correction = Stopwatch(self._clock), self._correction
        with stopwatch.stage("correct"):
            corrected = frame if correction is None else correction.correct(frame)
            reference = Reference() if correction is None else correction.reference
        seen = self.pipeline.observe(corrected, stopwatch, self._estimate_scale)
        with stopwatch.stage("gate"):
            reference = self._with_site(reference)
            finding = self._finding(seen, self._gate_for(reference).decide(seen), reference.site)
        with stopwatch.stage("settle"):
            if self._hysteresis is not None:
                finding = self._hysteresis.settle(corrected, finding)
        return Processed(corrected, replace(finding, timing_ms=stopwatch.timing_ms()))

    def examine(self, frame: Frame) -> Finding:
        """Return what is concluded from `frame`, for who needs no corrected frame; see `process`."""
        return self.process(frame).finding

    def close(self) -> None:
        """Free both models."""
        self.pipeline.close()

    def _with_site(self, reference: Reference) -> Reference:
        return reference if self._site is None else replace(reference, site=self._site.status(reference.profile))

    def _gate_for(self, reference: Reference) -> QualityGate:
        return QualityGate(self._limits, self.pipeline.bundle.manifest.classifier, reference)

    def _finding(self, seen: Observation, decision: Decision, site: SiteStatus | None) -> Finding:
        opinion, pipeline = seen.opinion, self.pipeline
        top = LABELS[int(opinion.probabilities.argmax())] if opinion is not None else None
        return Finding(
            label=None if decision.refusals else top,
            top=top,
            probabilities=dict(zip(LABELS, map(float, opinion.probabilities), strict=True)) if opinion else {},
            refusals=decision.refusals,
            cells=seen.cells,
            mask=seen.mask,
            quality=decision.quality,
            bundle_sha256=pipeline.bundle.sha256,
            level=pipeline.level,
            runtime=pipeline.runtime,
            site=site,
            scale=seen.scale,
        )
