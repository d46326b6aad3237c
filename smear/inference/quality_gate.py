"""Focus, exposure and content of one field: what decides whether a label may be given at all."""

from dataclasses import dataclass

import cv2
import numpy as np

from smear.bundle.manifest import Classifier
from smear.findings import Quality
from smear.imaging.masking import FIELD_SAMPLES
from smear.imaging.resampling import ModelFrame, content_of
from smear.imaging.stain_normalization import counts_of, flat_points, middle_of, thinned
from smear.inference.aggregation import Verdict

RIM_PX = 2  # at model scale: how far the edge of a cell is looked at on either side
GREEN = 1  # the channel where haematoxylin and azure absorb most
_RIM = np.ones((2 * RIM_PX + 1,) * 2, np.uint8)
_DETAIL = np.full(3, 1), np.full(3, 254)  # no channel at its end


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


def measure_quality(
    frame: ModelFrame, cell: np.ndarray, glass: np.ndarray, verdict: Verdict | None
) -> tuple[Quality, float]:
    """Measure one field at model scale. The second value is the tint of its glass.

    `cell` is bool (h, w), `glass` float (3,) RGB in 0..255, see `smear.imaging.masking.glass_of`.
    """
    pixels, inside = content_of(frame.pixels, frame), content_of(cell, frame)
    red, green, blue = glass.tolist()
    focus, clipped = _in_cells(pixels, inside, max(1, min(frame.content) // FIELD_SAMPLES))
    quality = Quality(
        focus=focus,
        clipped=clipped,
        brightness=(0.299 * red + 0.587 * green + 0.114 * blue) / 255.0,
        cell_share=cv2.countNonZero(inside.view(np.uint8)) / inside.size,
        ood_score=verdict.ood_score if verdict else None,
    )
    return quality, (max(red, green, blue) - min(red, green, blue)) / max(red, green, blue, 1.0)


def _in_cells(pixels: np.ndarray, cell: np.ndarray, step: int) -> tuple[float, float]:
    """Return focus and clipped share of RGB uint8 `pixels`; every `step`-th of them each way tells the ground.

    The focus is Tenengrad (mean squared Sobel gradient) at the rims of cells, over the squared contrast of cell and
    ground. Independent of stain and light, in 1/px^2; falls with the width of the blur. 0 without a cell or a ground.
    """
    window = _around(cell)
    body = np.ascontiguousarray(cell.view(np.uint8)[window])
    grown = np.zeros(cell.shape, bool)
    grown[window] = near = cv2.dilate(body, _RIM).view(bool)
    at = flat_points(near.view(np.uint8))
    clipped = _clipped(pixels, pixels[window], np.compress(np.take(body.view(bool), at), at))
    inner = np.take(cv2.erode(body, _RIM).view(bool), at)
    core, rim = np.compress(inner, at), np.compress(~inner, at)
    of_ground = counts_of(cv2.extractChannel(thinned(pixels, step), GREEN), (~thinned(grown, step)).view(np.uint8))
    if not (len(core) and len(rim) and of_ground.any()):
        return 0.0, clipped
    green = cv2.extractChannel(pixels[window], GREEN)
    across, down = (np.take(cv2.Sobel(green, cv2.CV_16S, *way), rim).astype(np.float32) for way in ((1, 0), (0, 1)))
    gradient = float(np.dot(across, across) + np.dot(down, down)) / len(rim)
    contrast = middle_of(of_ground) - middle_of(np.bincount(np.take(green, core), minlength=256))
    return gradient / 64.0 / max(contrast * contrast, 25.0), clipped  # 64: Sobel's gain of 8, squared


def _around(cell: np.ndarray) -> tuple[slice, slice]:
    """Return the window with all of bool (h, w) `cell`, their rims and the pixel beyond that a gradient needs."""
    x, y, width, height = cv2.boundingRect(cell.view(np.uint8))
    room = RIM_PX + 1
    return slice(max(0, y - room), y + height + room), slice(max(0, x - room), x + width + room)


def _clipped(pixels: np.ndarray, near: np.ndarray, at: np.ndarray) -> float:
    """Share of the cells' pixels at 0 or 255 in any channel; without a cell, of all pixels in all three.

    The cells' are at the places int (n,) `at` of the flattened window `near`. Clean glass may be white, so only what
    should hold detail counts.
    """
    if not len(at):
        return float(((pixels == 0) | (pixels == 255)).all(axis=-1).mean())
    shown = np.take(near.reshape(-1, 3), at, axis=0)
    return 1 - cv2.countNonZero(cv2.inRange(shown[np.newaxis], *_DETAIL)) / len(at)


def refusals(
    quality: Quality,
    tint: float,
    cells: int,
    verdict: Verdict | None,
    facts: Classifier,
    limits: Limits,
    behind_bar: int = 0,
) -> tuple[str, ...]:
    """Return why the field may not be labelled, each a sentence a person can act on; empty when it may be.

    `cells` is how many the classifier may see, `behind_bar` how many more lie where a scale bar may be burned in.
    """
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
        where = " clear of the scale bar's corner" if behind_bar else ""
        said.append(f"no white cell found{where}: move the stage to another field")
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
