"""The four parts of a calibration: what to do for each, what is wrong in the live picture, and what was measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from device.cameras.calibration.measurement import blank_fault
from device.cameras.calibration.ruling import line_spacing_px
from device.screen.layout import ScreenState
from smear.errors import ImageError

BLANK_PX, RULING_PX = 160, 320  # longest edge of a picture that is looked at: it is done beside everything else
RED_CELL_UM = 7.5


@dataclass(frozen=True, slots=True)
class Step:
    """One part, by the name of the action's `kind`."""

    kind: str
    title: str
    to_do: str


STEPS = (
    Step("white", "white balance", "This makes empty glass neutral. Move to clear glass without cells, at the light "
         "that you work with, and measure."),
    Step("flat", "even light", "This makes the corners as bright as the middle. Stay on clear glass, turn it a "
         "little out of focus to hide dust, and measure."),
    Step("scale", "scale", "This tells how large a pixel is. Focus on a stage micrometre, set how far apart its lines "
         "are, and measure; or type the micrometres of one pixel."),
    Step("focus", "best focus", "This tells what sharp is. Move to a field with white cells, focus as well as it goes, "
         "and measure."),
)  # fmt: skip
GOOD = "The picture is right for this step."
_FOCUS = {
    "sharper: go on": "It gets sharper: go on turning.",
    "softer: turn back": "It was sharper before: turn back.",
    "sharpest so far": "This is the sharpest so far.",
}


def look(step: Step, live: ScreenState) -> tuple[str, bool]:
    """Return what is to be said of the live picture, and whether it is right for `step`."""
    if live.frame is None:
        return "There is no picture from the camera: check its cable.", False
    if step.kind == "focus":
        if live.finding is None or not live.finding.cells:
            return "There is no white cell in the picture: move to a field with cells.", False
        advice = _FOCUS.get(live.focus.advice, "Turn the fine focus to and fro to compare.")
        return advice, live.focus.advice == "sharpest so far"
    if step.kind == "scale":
        try:
            line_spacing_px(_small(live.frame.image, RULING_PX))
        except ImageError as error:
            return str(error), False
        return GOOD, True
    fault = blank_fault(_small(live.frame.image, BLANK_PX).astype(np.float32))
    return fault or GOOD, not fault


def _small(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    share = min(1.0, side / max(image.shape[:2]))
    return np.asarray(cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA), np.uint8)


def result(step: Step, profile: Mapping[str, Any]) -> str:
    """Return what `profile`, the answer of `calibrate`, holds of this part; "": nothing."""
    if step.kind == "white" and profile["white"]:
        red, green, blue = profile["white"]
        return (
            f"In use: red × {red:.2f}, green × {green:.2f}, blue × {blue:.2f}. "
            "If the glass in the picture has a tint now, measure again."
        )
    if step.kind == "flat" and profile["flat"]:
        return "In use. If the corners of the picture are darker than its middle now, measure again."
    if step.kind == "scale" and (size := profile["pixel_size_um"]):
        cell = RED_CELL_UM / size
        return f"In use: one pixel is {size:.4g} µm. A red cell is about {cell:.0f} pixels wide then."
    if step.kind == "focus" and profile["best_focus"]:
        return "In use: fields are compared with this sharpness. If you can focus better, measure again."
    return ""
