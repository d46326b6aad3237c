"""Focus, exposure, content and certainty of one field: the one place that decides whether a label may be given."""

import math
from collections.abc import Iterator
from dataclasses import astuple, dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from smear.bundle.manifest import Classifier
from smear.findings import Quality, Refusal, RefusalCode, Scale
from smear.imaging.masking import FIELD_SAMPLES
from smear.imaging.resampling import ModelFrame, content_of
from smear.imaging.stain_normalization import (
    colour_distance,
    histogram,
    histogram_median,
    nonzero_indices,
    subsampled,
)
from smear.inference.aggregation import FieldOpinion
from smear.inference.detection import Familiarity
from smear.site import CHECK_SITE, NOT_CHECKED, CameraProfile, SiteStatus

if TYPE_CHECKING:
    from smear.inference.pipeline import Observation

RIM_PX = 2  # at model scale: how far the edge of a cell is looked at on either side
GREEN = 1  # the channel where haematoxylin and azure absorb most
JUST_NOTICEABLE = 2.3  # CIE76, Mahy et al. 1994
# The background of near-duplicates of one field differs by 0.4 in the median and 8.4 at most (150 pairs), that of any
# two fields by more than 9.2 in 0.4 % of 36,000 pairs, and by 18.4 in none: no stain session was so far off.
WARN_DRIFT = 4 * JUST_NOTICEABLE  # 9.2: a tenth of the light lost (8.9), or 7 % of its blue
REFUSE_DRIFT = 8 * JUST_NOTICEABLE  # 18.4: a fifth of the light lost (18.0), or 15 % of its blue
# Of 60 sharp fields blurred step by step: the class stays the same in 98 % down to 0.35 of the best focus, in 86 %
# between 0.35 and 0.25, and in 74 % below; the mask's Dice to the sharp one is 0.97, 0.95 and 0.93.
MIN_RELATIVE_FOCUS = 0.35
CALIBRATE_WHITE = "run 'smearscope calibrate white' on an empty part of the slide"
INVALID_ANSWER = "the model's answer is not a number: choose another level or runtime, or install the bundle again"
_RIM = np.ones((2 * RIM_PX + 1,) * 2, np.uint8)
_DETAIL = np.full(3, 1), np.full(3, 254)  # no channel at its end


@dataclass(frozen=True, slots=True)
class Limits:
    """What a field must fulfil to be labelled.

    Each default is followed by what was measured on every ninth field of the data set (292) and on altered copies.
    """

    min_focus: float = 0.028  # sharpest to softest field 0.55 to 0.030; blurred by 3 px 0.032 to 0.011, median 0.017
    max_clipped: float = 0.6  # 0.38 at most on 45 fields; exposed 1.3 times as long: 0.97 in 95 % of them
    min_brightness: float = 0.35  # 0.81 at least; a quarter of the light 0.25
    max_glass_tint: float = 0.18  # 0.12 at most; tissue sections 0.19 in the median
    min_cells: int = 1  # the data set's sparsest fields have one
    max_cell_share: float = 0.60  # 0.36 at most; packed tissue up to 0.78
    require_site: bool = False  # no label without a certificate of this site that holds
    max_scale_ratio: float = 1.25  # 0.4 % of all 2605 fields beyond; at 0.7 and 1.4 of their scale 80 % of 1042


@dataclass(frozen=True, slots=True)
class Reference:
    """What is known of the instrument and its site; None: not calibrated, or nothing that belongs to a site."""

    background: tuple[float, float, float] | None = None  # RGB of the empty glass, corrected, 0..255
    best_focus: float | None = None  # Tenengrad energy at the rims of cells
    profile: CameraProfile | None = None  # of the calibration that corrected the field
    site: SiteStatus | None = None  # whether the bundle was checked at this site


@dataclass(frozen=True, slots=True)
class Measured:
    """What one field measures, before any limit."""

    quality: Quality
    absolute_focus: float  # Tenengrad energy at the rims of cells, whatever was calibrated
    tint: float  # how far the channels of the background lie apart, 0 to 1

    @property
    def finite(self) -> bool:
        """True: every number in it is one."""
        numbers = (self.absolute_focus, self.tint, *astuple(self.quality))
        return all(number is None or math.isfinite(number) for number in numbers)


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gate measured, and why no label may be given; `refusals` is empty when it may."""

    quality: Quality
    refusals: tuple[Refusal, ...]


class QualityGate:
    """Decides, once, whether a field may be labelled.

    Every condition must be shown to hold: a value that is not a number fulfils none.
    """

    def __init__(self, limits: Limits, classifier: Classifier, reference: Reference | None = None) -> None:
        """`classifier` holds the thresholds that its training fitted; without `reference` nothing is calibrated."""
        self._limits = limits
        self._classifier = classifier
        self._reference = reference or Reference()

    def decide(self, seen: "Observation") -> Decision:
        """Measure the field that was `seen`, and say why it may not be labelled."""
        measured = measure(seen.view, seen.cell_pixels, seen.background, self._reference)
        if seen.opinion is not None:
            measured = replace(measured, quality=replace(measured.quality, ood_score=seen.opinion.ood_score))
        hidden = len(seen.cells) - seen.visible
        refusals = self.refusals(measured, seen.visible, hidden, seen.opinion, seen.finite, seen.scale)
        return Decision(measured.quality, refusals)

    def refusals(
        self,
        measured: Measured,
        visible: int,
        hidden: int = 0,
        opinion: FieldOpinion | None = None,
        finite: bool = True,
        scale: Scale | None = None,
    ) -> tuple[Refusal, ...]:
        """Return why a field that was `measured` so may not be labelled.

        `visible` is how many cells the classifier may see, `hidden` how many more lie where a scale bar may be burned
        in; `finite` is False when a model answered with anything but numbers; `scale` None is not looked at.
        """
        reasons = [*self._light(measured), *self._size(scale)]
        if not (finite and measured.finite and (opinion is None or opinion.finite)):
            reasons.append(Refusal(RefusalCode.INVALID_ANSWER, INVALID_ANSWER))
        elif not visible >= self._limits.min_cells:
            where = " away from the scale bar's corner" if hidden else ""
            advice = f"no white cell found{where}: move the stage to another field"
            reasons.append(Refusal(RefusalCode.NO_CELLS, advice))
        else:
            reasons += self._content(measured)
            reasons += self._certainty(opinion)
            reasons += self._site()
        return tuple(reasons)

    def _light(self, measured: Measured) -> Iterator[Refusal]:
        limits, quality, tint = self._limits, measured.quality, measured.tint
        if not quality.brightness >= limits.min_brightness:
            yield Refusal(
                RefusalCode.TOO_DARK,
                f"too dark (background at {quality.brightness:.0%}): raise the lamp or the exposure",
            )
        if not quality.clipped <= limits.max_clipped:
            yield Refusal(
                RefusalCode.BAD_EXPOSURE,
                f"over- or underexposed ({quality.clipped:.0%} of what should show detail is clipped): "
                "change the exposure",
            )
        if not tint <= limits.max_glass_tint:
            yield Refusal(
                RefusalCode.TINTED_BACKGROUND,
                f"no clear background (tinted by {tint:.0%}): set the white balance, "
                "or check that this is a blood smear",
            )
        if not quality.colour_drift <= REFUSE_DRIFT:
            yield Refusal(
                RefusalCode.LIGHT_CHANGED,
                f"the light has changed since the calibration (colour differs by {quality.colour_drift:.0f}): "
                f"{CALIBRATE_WHITE}",
            )

    def _size(self, scale: Scale | None) -> Iterator[Refusal]:
        if scale is None or scale.red_cells is None or not scale.red_cells.sure:
            return
        used, said = scale.pixel_size_um, scale.red_cells
        low, high = said.interval_um
        if low <= used <= high or abs(math.log(said.pixel_size_um / used)) <= math.log(self._limits.max_scale_ratio):
            return
        seen = f"red cells look as at {said.pixel_size_um:.2g} um a pixel ({low:.2g} to {high:.2g})"
        if scale.given:
            advice = (
                f"{seen}, not as at the {used:.2g} um that was given: "
                "check the objective, and give or calibrate its pixel size"
            )
        else:
            advice = (
                f"{seen}; as one whole field, which is assumed where no pixel size is given, it would be "
                f"{used:.2g} um: give the pixel size"
            )
        yield Refusal(RefusalCode.SCALE_DISAGREES, advice)

    def _content(self, measured: Measured) -> Iterator[Refusal]:
        limits, quality = self._limits, measured.quality
        if not measured.absolute_focus >= limits.min_focus:
            share = measured.absolute_focus / limits.min_focus
            yield Refusal(
                RefusalCode.OUT_OF_FOCUS, f"out of focus ({share:.0%} of the sharpness needed): turn the fine focus"
            )
        elif self._reference.best_focus is not None and not quality.focus >= MIN_RELATIVE_FOCUS:
            yield Refusal(
                RefusalCode.OUT_OF_FOCUS,
                f"out of focus ({quality.focus:.0%} of the calibrated best): turn the fine focus",
            )
        if not quality.cell_share <= limits.max_cell_share:
            yield Refusal(
                RefusalCode.TOO_CROWDED,
                f"cells are too crowded ({quality.cell_share:.0%} of the field): move to a thinner part of the smear",
            )

    def _site(self) -> Iterator[Refusal]:
        site = self._reference.site or SiteStatus()
        if self._limits.require_site and not site.checked:
            yield Refusal(RefusalCode.SITE_NOT_CHECKED, f"{NOT_CHECKED} ({site.reason}): {CHECK_SITE}")

    def _certainty(self, opinion: FieldOpinion | None) -> Iterator[Refusal]:
        if opinion is None:
            return
        facts, best, found = self._classifier, float(opinion.probabilities.max()), opinion.familiarity
        if found is not None and not found.within:
            yield _unfamiliar(found)
        elif found is None and facts.detector is not None:
            yield Refusal(RefusalCode.INVALID_ANSWER, INVALID_ANSWER)
        if facts.ood_above is not None and opinion.ood_score is not None and not opinion.ood_score <= facts.ood_above:
            yield Refusal(
                RefusalCode.OUT_OF_DISTRIBUTION,
                f"unlike the training data (score {opinion.ood_score:.2f}, at most {facts.ood_above:.2f}): "
                "check stain, slide and magnification",
            )
        if not best >= facts.abstain_below:
            yield Refusal(
                RefusalCode.UNCERTAIN,
                f"not certain enough ({best:.0%}, at least {facts.abstain_below:.0%} needed): look at more fields",
            )


def _unfamiliar(found: Familiarity) -> Refusal:
    """Return the refusal of a field whose cells are of none of the four classes, or unlike any that were seen."""
    figures = f"score {found.score:.1f}, at most {found.limit:.1f}; {found.other_cells:.0%} of the cells"
    if found.resembles_others:
        return Refusal(
            RefusalCode.NOT_THESE_CLASSES,
            f"these look like mature or other cells ({figures}): nothing here that the four classes describe",
        )
    return Refusal(
        RefusalCode.OUT_OF_DISTRIBUTION,
        f"unlike the training data ({figures}): check stain, slide and magnification",
    )


def measure(
    view: ModelFrame, cell_pixels: np.ndarray, background: np.ndarray, reference: Reference | None = None
) -> Measured:
    """Measure one field at model scale.

    `cell_pixels` is bool (h, w), `background` float (3,) RGB in 0..255, see `smear.imaging.masking.background_of`.
    """
    known = reference or Reference()
    pixels, inside = content_of(view.pixels, view), content_of(cell_pixels, view)
    focus, clipped = focus_and_clipping(pixels, inside, max(1, min(view.content) // FIELD_SAMPLES))
    red, green, blue = background.tolist()
    quality = Quality(
        focus=focus / (known.best_focus or 1.0),
        clipped=clipped,
        brightness=(0.299 * red + 0.587 * green + 0.114 * blue) / 255.0,
        cell_share=cv2.countNonZero(inside.view(np.uint8)) / _seen(view),
        colour_drift=0.0 if known.background is None else colour_distance(background, np.array(known.background)),
    )
    tint = (max(red, green, blue) - min(red, green, blue)) / max(red, green, blue, 1.0)
    return Measured(quality, focus, tint)


def _seen(view: ModelFrame) -> int:
    """Return how many pixels of the frame, at model scale, show the slide."""
    if view.outside is None:
        return view.content[0] * view.content[1]
    return max(1, int(np.count_nonzero(~content_of(view.outside, view))))


def focus_and_clipping(pixels: np.ndarray, cell: np.ndarray, step: int) -> tuple[float, float]:
    """Return focus and clipped share of RGB uint8 `pixels`; of the background every `step`-th each way.

    The focus is Tenengrad (mean squared Sobel gradient) at the rims of cells, over the squared contrast of cell and
    background. Independent of stain and light, in 1/px^2; falls with the width of the blur. 0 without either.
    """
    window = _around(cell)
    body = np.ascontiguousarray(cell.view(np.uint8)[window])
    grown = np.zeros(cell.shape, bool)
    grown[window] = near = cv2.dilate(body, _RIM).view(bool)
    at = nonzero_indices(near.view(np.uint8))
    clipped = _clipped(pixels, pixels[window], np.compress(np.take(body.view(bool), at), at))
    inner = np.take(cv2.erode(body, _RIM).view(bool), at)
    core, rim = np.compress(inner, at), np.compress(~inner, at)
    of_background = histogram(
        cv2.extractChannel(subsampled(pixels, step), GREEN), (~subsampled(grown, step)).view(np.uint8)
    )
    if not (len(core) and len(rim) and of_background.any()):
        return 0.0, clipped
    green = cv2.extractChannel(pixels[window], GREEN)
    across, down = (np.take(cv2.Sobel(green, cv2.CV_16S, *way), rim).astype(np.float32) for way in ((1, 0), (0, 1)))
    gradient = float(np.dot(across, across) + np.dot(down, down)) / len(rim)
    contrast = histogram_median(of_background) - histogram_median(np.bincount(np.take(green, core), minlength=256))
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
