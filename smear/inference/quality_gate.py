"""Focus, exposure, content and certainty of one field: the one place that decides whether a label may be given."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from smear.bundle.manifest import Classifier
from smear.findings import Quality, Refusal, RefusalCode, Scale
from smear.imaging.field_quality import Measured, Reference, measure
from smear.inference.aggregation import FieldOpinion
from smear.inference.detection import Familiarity
from smear.site import CHECK_SITE, NOT_CHECKED, SiteStatus

if TYPE_CHECKING:
    from smear.inference.pipeline import Observation

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
        visible = len(seen.visible)
        refusals = self.refusals(measured, visible, len(seen.cells) - visible, seen.opinion, seen.finite, seen.scale)
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
        seen = f"red cells look as at {said.pixel_size_um:.2g} µm a pixel ({low:.2g} to {high:.2g})"
        if scale.given:
            advice = (
                f"{seen}, not as at the {used:.2g} µm that was given: "
                "check the objective, and give or calibrate its pixel size"
            )
        else:
            advice = (
                f"{seen}; as one whole field, which is assumed where no pixel size is given, it would be "
                f"{used:.2g} µm: give the pixel size"
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
