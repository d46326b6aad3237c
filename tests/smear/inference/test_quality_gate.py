"""A field that is blurred, dark, bleached, blank or no smear is refused with its reason; a good one is not."""

import math
import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smear.bundle.folder import load_bundle
from smear.bundle.manifest import Classifier, Detector
from smear.classes import LABELS
from smear.findings import Finding, Frame, Quality, RedCellScale, Refusal, RefusalCode, Scale
from smear.images import list_images
from smear.imaging.field_quality import Measured, Reference, measure
from smear.imaging.masking import background_of
from smear.imaging.resampling import to_model_scale
from smear.inference.aggregation import FieldOpinion, aggregate
from smear.inference.detection import Familiarity
from smear.inference.frame_processor import FrameProcessor
from smear.inference.pipeline import Pipeline
from smear.inference.quality_gate import REFUSE_DRIFT, Limits, QualityGate
from smear.site import CameraProfile, SiteStatus
from smear.synthetic import blank, red_cells_only, render

GOOD = Quality(focus=0.1, clipped=0.0, brightness=0.9, cell_share=0.1)
SENTENCE = re.compile(r"^[a-z].*\w.*: [a-z].*\w")  # what is wrong: what to do
SURE = aggregate(np.array([[9.0, 0, 0, 0]]), np.ones(1), 1.0)


@pytest.fixture(scope="module")
def processor(tiny_bundle: Path):
    opened = FrameProcessor(Pipeline(load_bundle(tiny_bundle), "float32"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def facts(tiny_bundle: Path) -> Classifier:
    return load_bundle(tiny_bundle).manifest.classifier


@pytest.fixture(scope="module")
def good() -> np.ndarray:
    """A field with many cells on glass that is not clipped."""
    return (render("Pre", 51, cells=14).image * 0.95).astype(np.uint8)


def reasons(processor: FrameProcessor, image: np.ndarray) -> Finding:
    finding = processor.examine(Frame(image, "drawn"))
    assert all(SENTENCE.match(refusal.advice) for refusal in finding.refusals), finding.refusals
    if finding.refusals:
        assert finding.label is None
    return finding


def measured(image: np.ndarray, cell: np.ndarray | None = None, pixel_size_um: float | None = None) -> Measured:
    view = to_model_scale(image, pixel_size_um)
    cell = np.zeros(view.pixels.shape[:2], bool) if cell is None else cell
    return measure(view, cell, background_of(view, cell))


def said(
    facts: Classifier,
    quality: Quality = GOOD,
    tint: float = 0.0,
    cells: int = 5,
    opinion: FieldOpinion | None = SURE,
    finite: bool = True,
    scale: Scale | None = None,
) -> list[Refusal]:
    """What the gate refuses of a field that measures so."""
    gate = QualityGate(Limits(), facts)
    return list(
        gate.refusals(Measured(quality, quality.focus, tint), cells, opinion=opinion, finite=finite, scale=scale)
    )


def codes(finding: Finding) -> set[RefusalCode]:
    return {refusal.code for refusal in finding.refusals}


@pytest.mark.parametrize("label", LABELS)
def test_a_sharp_well_lit_field_is_labelled(processor: FrameProcessor, label: str) -> None:
    finding = reasons(processor, render(label, 50).image)
    assert finding.refusals == ()
    assert finding.label == finding.top


@pytest.mark.parametrize(("typed", "named"), [(0.35, "0.35"), (0.7, "0.7"), (0.1, "0.1"), (2.0, "2")])
def test_a_wrong_pixel_size_is_refused_and_both_scales_are_named(
    processor: FrameProcessor, typed: float, named: str
) -> None:
    finding = processor.examine(Frame(red_cells_only(3, (300, 300)).image, "drawn", typed))
    (refusal,) = (each for each in finding.refusals if each.code == RefusalCode.SCALE_DISAGREES)
    assert SENTENCE.match(refusal.advice)
    assert f"not as at the {named} µm that was given" in refusal.advice
    assert finding.scale is not None
    assert finding.scale.given
    assert finding.scale.red_cells is not None
    assert f"{finding.scale.red_cells.pixel_size_um:.2g} µm a pixel" in refusal.advice


def test_a_picture_that_is_no_whole_field_is_refused_where_no_pixel_size_is_given(processor: FrameProcessor) -> None:
    image = red_cells_only(3, (600, 600), 0.1).image
    finding = processor.examine(Frame(image, "drawn"))
    (refusal,) = (each for each in finding.refusals if each.code == RefusalCode.SCALE_DISAGREES)
    assert "as one whole field" in refusal.advice
    assert refusal.advice.endswith("it would be 0.19 µm: give the pixel size")
    assert RefusalCode.SCALE_DISAGREES not in codes(processor.examine(Frame(image, "drawn", 0.1)))


def shown(pixel_size_um: float, sure: bool = True, doubt: float = 0.07) -> Scale:
    return Scale(0.5, True, RedCellScale(pixel_size_um, doubt, 30, sure))


@pytest.mark.parametrize(
    ("scale", "refused"),
    [
        (None, False),
        (Scale(0.5, True, None), False),
        (shown(0.5), False),
        (shown(0.61), False),
        (shown(0.66), True),
        (shown(0.38), True),
        (shown(0.66, sure=False), False),
        (shown(0.66, doubt=0.2), False),  # the given one lies within the bounds
        (shown(math.nan), True),
        (shown(0.66, doubt=math.nan), True),
    ],
)
def test_a_scale_is_refused_beyond_the_limit_and_the_doubt(
    facts: Classifier, scale: Scale | None, refused: bool
) -> None:
    found = [refusal.code for refusal in said(facts, scale=scale)]
    assert found == ([RefusalCode.SCALE_DISAGREES] if refused else [])


def test_a_blurred_field_is_out_of_focus(processor: FrameProcessor, good: np.ndarray) -> None:
    assert RefusalCode.OUT_OF_FOCUS in codes(reasons(processor, cv2.GaussianBlur(good, (0, 0), 4)))


def test_a_field_photographed_out_of_focus_is_out_of_focus(processor: FrameProcessor) -> None:
    assert RefusalCode.OUT_OF_FOCUS in codes(reasons(processor, render("Pre", 51, cells=14, defocus_um=12.0).image))


def test_focus_falls_with_the_blur_whatever_the_light(good: np.ndarray) -> None:
    field = render("Pre", 51, cells=14)

    def focus(image: np.ndarray) -> float:
        return measured(image, field.mask.cell).quality.focus

    blurred = [focus(cv2.GaussianBlur(good, (0, 0), sigma)) for sigma in (0.5, 1, 2, 3, 5)]
    assert blurred == sorted(blurred, reverse=True)
    dimmed = (good * 0.6).astype(np.uint8)
    assert focus(dimmed) == pytest.approx(focus(good), rel=0.1)


def test_a_dark_field_is_too_dark(processor: FrameProcessor, good: np.ndarray) -> None:
    finding = reasons(processor, (good * 0.2).astype(np.uint8))
    assert RefusalCode.TOO_DARK in codes(finding)
    assert RefusalCode.TOO_DARK in codes(reasons(processor, np.zeros_like(good)))


def test_a_bleached_field_is_overexposed(processor: FrameProcessor, good: np.ndarray) -> None:
    assert RefusalCode.BAD_EXPOSURE in codes(reasons(processor, np.clip(good * 8.0, 0, 255).astype(np.uint8)))
    assert RefusalCode.BAD_EXPOSURE in codes(reasons(processor, np.full_like(good, 255)))


def test_white_glass_around_well_exposed_cells_is_no_fault() -> None:
    image = np.full((224, 224, 3), 255, np.uint8)
    cell = np.zeros((224, 224), bool)
    cell[80:120, 80:120] = True
    image[cell] = (110, 60, 150)
    assert measured(image, cell).quality.clipped == 0


def test_an_empty_field_has_no_white_cell(processor: FrameProcessor) -> None:
    finding = reasons(processor, blank(1).image)
    assert RefusalCode.NO_CELLS in codes(finding)
    assert finding.top is None
    assert finding.probabilities == {}
    assert not finding.mask.values.any()


def test_a_field_of_red_cells_has_no_white_cell(processor: FrameProcessor) -> None:
    assert RefusalCode.NO_CELLS in codes(reasons(processor, red_cells_only(1).image))


def test_a_tissue_tint_is_no_clear_glass(processor: FrameProcessor, good: np.ndarray) -> None:
    tinted = (good * (1.0, 0.72, 0.9)).astype(np.uint8)  # eosin all over, as in a section
    assert RefusalCode.TINTED_BACKGROUND in codes(reasons(processor, tinted))


def test_half_of_real_tissue_sections_show_no_clear_glass(data_dir: Path) -> None:
    tints = []
    for path in list_images(data_dir / "ood" / "histology"):
        image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)  # stored with an alpha channel
        tints.append(measured(image).tint)
    assert len(tints) == 50
    assert np.median(tints) > Limits().max_glass_tint


@pytest.mark.parametrize(
    ("change", "code", "figure"),
    [
        ({"focus": 0.01}, RefusalCode.OUT_OF_FOCUS, "36%"),
        ({"clipped": 0.7}, RefusalCode.BAD_EXPOSURE, "70%"),
        ({"brightness": 0.1}, RefusalCode.TOO_DARK, "10%"),
        ({"cell_share": 0.7}, RefusalCode.TOO_CROWDED, "70%"),
        ({"colour_drift": 25.0}, RefusalCode.LIGHT_CHANGED, "25"),
    ],
)
def test_each_limit_has_its_own_code_and_sentence(
    facts: Classifier, change: dict[str, float], code: RefusalCode, figure: str
) -> None:
    (refusal,) = said(facts, replace(GOOD, **change))
    assert refusal.code == code
    assert figure in refusal.advice
    assert SENTENCE.match(refusal.advice)


def test_a_good_field_has_no_refusal(facts: Classifier) -> None:
    assert said(facts) == []


def test_without_a_cell_focus_and_classes_are_not_mentioned(facts: Classifier) -> None:
    (refusal,) = said(facts, replace(GOOD, focus=0.0, cell_share=0.0), cells=0, opinion=None)
    assert refusal.code == RefusalCode.NO_CELLS


def test_a_field_is_refused_below_a_share_of_the_calibrated_focus_and_once_only(facts: Classifier) -> None:
    gate = QualityGate(Limits(), facts, Reference(best_focus=1.0))
    for focus, refused in ((0.5, 0), (0.2, 1), (0.01, 1)):
        found = gate.refusals(Measured(replace(GOOD, focus=focus), focus, 0.0), 5, opinion=SURE)
        assert [each.code for each in found] == [RefusalCode.OUT_OF_FOCUS] * refused


ANY_FLOAT = st.floats(allow_nan=True, allow_infinity=True)


@settings(max_examples=300)
@given(values=st.lists(ANY_FLOAT, min_size=7, max_size=7), chances=st.lists(ANY_FLOAT, min_size=4, max_size=4))
def test_a_label_is_given_only_when_every_number_is_finite_and_within_its_limits(
    tiny_bundle: Path, values: list[float], chances: list[float]
) -> None:
    facts = load_bundle(tiny_bundle).manifest.classifier
    focus, clipped, brightness, cell_share, drift, ood, tint = values
    limits, opinion = Limits(), FieldOpinion(np.array(chances), np.zeros((1, 4)), ood)
    quality = Quality(focus, clipped, brightness, cell_share, drift, ood)
    refused = QualityGate(limits, facts).refusals(Measured(quality, focus, tint), 5, opinion=opinion)
    good = (
        all(map(math.isfinite, [*chances, *values]))
        and focus >= limits.min_focus
        and clipped <= limits.max_clipped
        and brightness >= limits.min_brightness
        and cell_share <= limits.max_cell_share
        and drift <= REFUSE_DRIFT
        and tint <= limits.max_glass_tint
        and facts.ood_above is not None
        and ood <= facts.ood_above
        and max(chances) >= facts.abstain_below
    )
    assert (refused == ()) == good


def test_a_cell_on_the_scale_bar_is_no_cell_and_the_reason_says_where_it_lies(processor: FrameProcessor) -> None:
    field, image = render("Pre", 3, cells=1), blank(1).image.copy()
    rows, columns = np.nonzero(field.mask.cell)
    patch = field.image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    height, width = patch.shape[:2]
    image[-height - 1 : -1, -width - 1 : -1] = patch
    found = reasons(processor, image)
    assert len(found.cells) == 1
    assert found.top is None
    assert RefusalCode.NO_CELLS in codes(found)


def test_everything_that_is_wrong_is_reported_at_once(facts: Classifier) -> None:
    found = said(facts, replace(GOOD, focus=0.001, brightness=0.1), tint=0.5)
    assert [each.code for each in found] == [
        RefusalCode.TOO_DARK, RefusalCode.TINTED_BACKGROUND, RefusalCode.OUT_OF_FOCUS,
    ]  # fmt: skip


def test_an_opinion_that_is_not_certain_enough_abstains(facts: Classifier) -> None:
    unsure = aggregate(np.zeros((1, 4)), np.ones(1), 1.0)
    (refusal,) = said(facts.model_copy(update={"abstain_below": 0.5}), opinion=unsure)
    assert refusal.code == RefusalCode.UNCERTAIN
    assert "25%" in refusal.advice


def test_an_opinion_on_what_is_unlike_the_training_data_abstains_where_a_limit_was_fitted(facts: Classifier) -> None:
    unlike = FieldOpinion(SURE.probabilities, SURE.cell_probabilities, ood_score=0.9)
    (refusal,) = said(facts, opinion=unlike)
    assert refusal.code == RefusalCode.OUT_OF_DISTRIBUTION
    assert said(facts.model_copy(update={"ood_above": None}), opinion=unlike) == []


@pytest.mark.parametrize(
    ("others", "code", "words"),
    [
        (True, RefusalCode.NOT_THESE_CLASSES, "nothing here that the four classes describe"),
        (False, RefusalCode.OUT_OF_DISTRIBUTION, "check stain, slide and magnification"),
    ],
)
def test_a_field_of_other_cells_is_refused_as_such_and_one_unlike_all_as_unlike(
    facts: Classifier, others: bool, code: RefusalCode, words: str
) -> None:
    found = Familiarity(5.2, 2.0, other_cells=0.8, max_other_cells=0.5, resembles_others=others)
    (refusal,) = gate_refusals(facts, SURE.judged(found))
    assert refusal.code is code
    assert words in refusal.advice
    assert "score 5.2, at most 2.0; 80% of the cells" in refusal.advice
    assert not gate_refusals(facts, SURE.judged(replace(found, score=1.0, other_cells=0.5)))


def test_a_detector_that_found_nothing_refuses(facts: Classifier) -> None:
    detector = Detector(file="d", limit=2, limit_few=1, few_cells=2, cell_limit=4, max_other_cells=0.5)
    with_detector = facts.model_copy(update={"detector": detector})
    assert [refusal.code for refusal in gate_refusals(with_detector, SURE)] == [RefusalCode.INVALID_ANSWER]


def test_a_score_that_is_no_number_is_an_invalid_answer(facts: Classifier) -> None:
    found = Familiarity(math.nan, 2.0, other_cells=0.0, max_other_cells=0.5, resembles_others=False)
    assert [refusal.code for refusal in gate_refusals(facts, SURE.judged(found))] == [RefusalCode.INVALID_ANSWER]


def gate_refusals(facts: Classifier, opinion: FieldOpinion) -> tuple[Refusal, ...]:
    return QualityGate(Limits(), facts.model_copy(update={"ood_above": None})).refusals(
        Measured(GOOD, GOOD.focus, 0.0), 5, opinion=opinion
    )


def test_an_answer_that_is_no_number_is_refused_with_its_own_code(facts: Classifier) -> None:
    assert [each.code for each in said(facts, finite=False)] == [RefusalCode.INVALID_ANSWER]


def test_only_the_frame_is_judged_not_its_mirrored_border() -> None:
    image = np.full((100, 100, 3), 200, np.uint8)
    image[:, :10] = 0
    assert measured(image, pixel_size_um=0.5).quality.clipped == pytest.approx(0.1)


class Certified:
    """Says what it is told to say of the site."""

    def __init__(self, status: SiteStatus) -> None:
        self.now = status

    def status(self, profile: CameraProfile | None) -> SiteStatus:
        return self.now


def test_where_the_site_must_be_checked_no_label_is_given_without_a_certificate(
    tiny_bundle: Path, good: np.ndarray
) -> None:
    site = Certified(SiteStatus(None, "the certificate is for another bundle"))
    opened = FrameProcessor(
        Pipeline(load_bundle(tiny_bundle), "float32"), replace(Limits(), require_site=True), site=site
    )
    refused = reasons(opened, good)
    assert [each.code for each in refused.refusals] == [RefusalCode.SITE_NOT_CHECKED]
    assert "another bundle" in refused.refusals[0].advice
    site.now = SiteStatus("20260101T000000Z-00000000", "")
    checked = reasons(opened, good)
    opened.close()
    assert checked.label is not None
    assert checked.site is site.now


def test_a_site_that_must_be_checked_and_of_which_nothing_is_known_is_refused(facts: Classifier) -> None:
    gate = QualityGate(replace(Limits(), require_site=True), facts)
    codes = [each.code for each in gate.refusals(Measured(GOOD, 0.1, 0.0), 5, 0, SURE)]
    assert codes == [RefusalCode.SITE_NOT_CHECKED]


def test_a_label_without_a_certificate_is_marked_and_still_given(tiny_bundle: Path, good: np.ndarray) -> None:
    opened = FrameProcessor(Pipeline(load_bundle(tiny_bundle), "float32"), site=Certified(SiteStatus()))
    finding = reasons(opened, good)
    opened.close()
    assert finding.label is not None
    assert finding.site is not None
    assert finding.site.warning == "not checked at this site (no site certificate)"
