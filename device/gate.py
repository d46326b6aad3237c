"""Focus, exposure and content of one field: what decides whether a label may be given at all."""

from dataclasses import dataclass

import cv2
import numpy as np

from smear.bundle import Classifier
from smear.field import Quality
from smear.preprocess import ModelFrame
from smear.stain import glass_colour, median_byte
from smear.verdict import Verdict

RIM_PX = 2  # at model scale: how far the edge of a cell is looked at on either side


@dataclass(frozen=True, slots=True)
class Limits:
    """What a field must keep to be labelled.

    Each default is followed by what was measured on every ninth field of the data set (292) and on changes of them.
    """

    min_focus: float = 0.028  # sharpest to softest field 0.55 to 0.030; blurred by 3 px 0.032 to 0.011, median 0.017
    max_clipped: float = 0.6  # 0.38 at most on 45 fields; exposed 1.3 times as long 0.97 in 95 % of them
    min_brightness: float = 0.35  # 0.81 at least; a quarter of the light 0.25
    max_glass_tint: float = 0.18  # 0.12 at most; tissue sections 0.19 in the median
    min_cells: int = 1  # the data set's sparsest fields have one
    max_cell_share: float = 0.60  # 0.36 at most; packed tissue up to 0.78


def measure_quality(frame: ModelFrame, cell: np.ndarray, verdict: Verdict | None) -> tuple[Quality, float]:
    """Measure one field at model scale; `cell` is bool (h, w). The second value is the tint of its glass."""
    (left, top), (width, height) = frame.offset, frame.content
    window = np.s_[top : top + height, left : left + width]
    pixels, inside = frame.pixels[window], cell[window]
    glass = glass_colour(pixels, inside)
    quality = Quality(
        focus=_focus(pixels, inside),
        clipped=_clipped(pixels, inside),
        brightness=float(glass @ (0.299, 0.587, 0.114) / 255.0),
        cell_share=np.count_nonzero(inside) / inside.size,
        ood_score=verdict.ood_score if verdict else None,
    )
    return quality, float((glass.max() - glass.min()) / max(glass.max(), 1.0))


def _focus(pixels: np.ndarray, cell: np.ndarray) -> float:
    """Tenengrad (mean squared Sobel gradient) at the rims of cells, over the squared contrast of cell and ground.

    Independent of stain and light, in 1/px^2; falls with the width of the blur. 0 without a cell or a ground.
    """
    rim, core, ground = _zones(cell)
    if not (rim.any() and core.any() and ground.any()):
        return 0.0
    green = cv2.extractChannel(pixels, 1)  # where haematoxylin and azure absorb most
    across, down = cv2.Sobel(green, cv2.CV_32F, 1, 0), cv2.Sobel(green, cv2.CV_32F, 0, 1)
    gradient = cv2.mean(across * across, rim)[0] + cv2.mean(down * down, rim)[0]
    contrast = median_byte(green, ground) - median_byte(green, core)
    return gradient / 64.0 / max(contrast * contrast, 25.0)  # 64: Sobel's gain of 8, squared


def _zones(cell: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rim, core and ground, uint8 (h, w), 0 where they are not."""
    kernel = np.ones((2 * RIM_PX + 1,) * 2, np.uint8)
    body = cell.view(np.uint8)
    grown, core = cv2.dilate(body, kernel), cv2.erode(body, kernel)
    return grown - core, core, 1 - grown


def _clipped(pixels: np.ndarray, cell: np.ndarray) -> float:
    """Share of the cells' pixels at 0 or 255 in any channel; without a cell, of all pixels in all three.

    Clean glass may be white, so only what should hold detail counts.
    """
    count = np.count_nonzero(cell)
    if count == 0:
        return float(((pixels == 0) | (pixels == 255)).all(axis=-1).mean())
    kept = cv2.inRange(pixels, np.full(3, 1), np.full(3, 254))  # no channel at its end
    return 1 - np.count_nonzero(kept.view(bool) & cell) / count


def refusals(
    quality: Quality, tint: float, cells: int, verdict: Verdict | None, facts: Classifier, limits: Limits
) -> tuple[str, ...]:
    """Return why the field may not be labelled, each a sentence a person can act on; empty when it may be."""
    said = []
    if quality.brightness < limits.min_brightness:
        said.append(f"too dark (glass at {quality.brightness:.0%}): raise the lamp or the exposure")
    if quality.clipped > limits.max_clipped:
        said.append(
            f"over- or underexposed ({quality.clipped:.0%} of what should show is clipped): change the exposure"
        )
    if tint > limits.max_glass_tint:
        said.append(f"no clear glass (tinted by {tint:.0%}): balance the white, or check that this is a blood smear")
    if cells < limits.min_cells:
        said.append("no white cell found: move the stage to another field")
        return tuple(said)
    if quality.focus < limits.min_focus:
        said.append(
            f"out of focus ({quality.focus / limits.min_focus:.0%} of the least sharpness): turn the fine focus"
        )
    if quality.cell_share > limits.max_cell_share:
        said.append(f"cells lie too thick ({quality.cell_share:.0%} of the field): go to a thinner part of the smear")
    if verdict is not None:
        said += _doubts(verdict, facts)
    return tuple(said)


def _doubts(verdict: Verdict, facts: Classifier) -> list[str]:
    said = []
    if verdict.ood_score is not None and facts.ood_above is not None and verdict.ood_score > facts.ood_above:
        said.append(
            f"unlike anything learnt (strangeness {verdict.ood_score:.2f}, at most {facts.ood_above:.2f}): "
            "check stain, slide and magnification"
        )
    best = float(verdict.probabilities.max())
    if best < facts.abstain_below:
        said.append(f"not sure enough ({best:.0%}, asked {facts.abstain_below:.0%}): look at more fields")
    return said
