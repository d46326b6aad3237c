"""How each part of a calibration is measured: from which frames, and what it changes in a profile."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from device.cameras.base import Camera
from device.cameras.calibration.measurement import BlankMean, measure_blank, typed_scale
from device.cameras.calibration.profile import Calibration
from device.cameras.calibration.profile_store import Change
from device.cameras.calibration.ruling import line_spacing_px
from smear.errors import CameraError
from smear.findings import Finding, Frame
from smear.imaging.field_quality import Reference

BLANK_FRAMES = 8  # averaged: noise falls to a third


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured, as a change of the profile that it belongs to."""

    change: Change
    size: tuple[int, int] | None  # width, height of the frames that it was measured on; None: on none


def measured_blank(kind: str, frames: Iterable[Frame], camera: Camera) -> Measured:
    """Measure white balance (`kind` "white") or the flat field ("flat") on frames of empty glass, one after another.

    A camera that tells how it is set now keeps these settings from then on: automatic ones would undo the rest.

    Raises:
        ImageError: the field is not empty or not well lit.
    """
    mean = BlankMean()
    for frame in frames:
        mean.add(frame.image)
    blank = mean.mean()
    settled: dict[str, Any] = getattr(camera, "settled_controls", dict)()

    def change(known: Calibration) -> Calibration:
        made = measure_blank(known, blank, white=kind == "white", flat=kind == "flat")
        return made if made.controls else made.model_copy(update={"controls": settled})

    return Measured(change, mean.size)


def measured_scale(frame: Frame, division_um: float) -> Measured:
    """Measure the pixel size on the ruling of a stage micrometre in view, with a line every `division_um`.

    Raises:
        ImageError: there are no regular lines.
    """
    return typed(division_um / line_spacing_px(frame.image), (frame.image.shape[1], frame.image.shape[0]))


def typed(pixel_size_um: float, size: tuple[int, int] | None) -> Measured:
    """Take a pixel size that somebody knows, of frames of `size`.

    Raises:
        ImageError: no microscope has such a scale.
    """
    typed_scale(Calibration(), pixel_size_um)  # refused before anything is stored
    return Measured(lambda known: typed_scale(known, pixel_size_um), size)


def measured_focus(frame: Frame, finding: Finding, reference: Reference) -> Measured:
    """Take the sharpness of a field that a person has focused as well as it goes as the best one.

    `reference` is what `finding` was measured against.

    Raises:
        CameraError: there is no cell in the field.
    """
    best = finding.quality.focus * (reference.best_focus or 1.0)  # a calibrated focus is relative already
    if not finding.cells or not best > 0:
        raise CameraError("no white cell to focus on; move to a field with cells and focus as well as it goes")
    size = (frame.image.shape[1], frame.image.shape[0])
    return Measured(lambda known: known.model_copy(update={"best_focus": best}), size)


def summary(made: Calibration) -> dict[str, Any]:
    """Return what a person wants to read of a calibration."""
    return {
        "calibration": made.id,
        "belongs to": made.setup.describe(),
        "white": made.white,
        "flat": made.flat is not None,
        "pixel_size_um": made.pixel_size_um,
        "best_focus": made.best_focus,
        "controls": made.controls,
    }
