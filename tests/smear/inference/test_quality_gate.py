"""A field that is blurred, dark, bleached, blank or no smear is refused with its reason; a good one is not."""

import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from smear.bundle.manifest import Classifier, load_bundle
from smear.classes import LABELS
from smear.findings import Finding, Frame, Quality
from smear.images import list_images
from smear.imaging.masking import glass_of
from smear.imaging.resampling import to_model_scale
from smear.inference.aggregation import Verdict, judge
from smear.inference.pipeline import Pipeline
from smear.inference.quality_gate import Limits, measure_quality, refusals
from smear.synthetic import blank, red_cells_only, render

GOOD = Quality(focus=0.1, clipped=0.0, brightness=0.9, cell_share=0.1)
SENTENCE = re.compile(r"^[a-z].*\w.*: [a-z].*\w")  # what is wrong: what to do
SURE = judge(np.array([[9.0, 0, 0, 0]]), np.ones(1), 1.0)


@pytest.fixture(scope="module")
def pipeline(tiny_bundle: Path):
    opened = Pipeline(load_bundle(tiny_bundle), "float32")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def facts(tiny_bundle: Path) -> Classifier:
    return load_bundle(tiny_bundle).manifest.classifier


@pytest.fixture(scope="module")
def good() -> np.ndarray:
    """A field with many cells on glass that is not clipped."""
    return (render("Pre", 51, cells=14).image * 0.95).astype(np.uint8)


def reasons(pipeline: Pipeline, image: np.ndarray) -> Finding:
    finding = pipeline.examine(Frame(image, "drawn"))
    assert all(SENTENCE.match(said) for said in finding.refusals), finding.refusals
    if finding.refusals:
        assert finding.label is None
    return finding


def measured(
    image: np.ndarray, cell: np.ndarray | None = None, pixel_size_um: float | None = None
) -> tuple[Quality, float]:
    view = to_model_scale(image, pixel_size_um)
    cell = np.zeros(view.pixels.shape[:2], bool) if cell is None else cell
    return measure_quality(view, cell, glass_of(view, cell), None)


def says(finding: Finding, words: str) -> bool:
    return any(words in said for said in finding.refusals)


@pytest.mark.parametrize("label", LABELS)
def test_a_sharp_well_lit_field_is_labelled(pipeline: Pipeline, label: str) -> None:
    finding = reasons(pipeline, render(label, 50).image)
    assert finding.refusals == ()
    assert finding.label == finding.top


def test_a_blurred_field_is_out_of_focus(pipeline: Pipeline, good: np.ndarray) -> None:
    assert says(reasons(pipeline, cv2.GaussianBlur(good, (0, 0), 4)), "out of focus")


def test_a_field_photographed_out_of_focus_is_out_of_focus(pipeline: Pipeline) -> None:
    assert says(reasons(pipeline, render("Pre", 51, cells=14, defocus_um=12.0).image), "out of focus")


def test_focus_falls_with_the_blur_whatever_the_light(good: np.ndarray) -> None:
    field = render("Pre", 51, cells=14)

    def focus(image: np.ndarray) -> float:
        return measured(image, field.mask.cell)[0].focus

    blurred = [focus(cv2.GaussianBlur(good, (0, 0), sigma)) for sigma in (0.5, 1, 2, 3, 5)]
    assert blurred == sorted(blurred, reverse=True)
    dimmed = (good * 0.6).astype(np.uint8)
    assert focus(dimmed) == pytest.approx(focus(good), rel=0.1)


def test_a_dark_field_is_too_dark(pipeline: Pipeline, good: np.ndarray) -> None:
    finding = reasons(pipeline, (good * 0.2).astype(np.uint8))
    assert says(finding, "too dark")
    assert says(reasons(pipeline, np.zeros_like(good)), "too dark")


def test_a_bleached_field_is_overexposed(pipeline: Pipeline, good: np.ndarray) -> None:
    assert says(reasons(pipeline, np.clip(good * 8.0, 0, 255).astype(np.uint8)), "over- or underexposed")
    assert says(reasons(pipeline, np.full_like(good, 255)), "or underexposed (100%")


def test_white_glass_around_well_exposed_cells_is_no_fault() -> None:
    image = np.full((224, 224, 3), 255, np.uint8)
    cell = np.zeros((224, 224), bool)
    cell[80:120, 80:120] = True
    image[cell] = (110, 60, 150)
    assert measured(image, cell)[0].clipped == 0


def test_an_empty_field_has_no_white_cell(pipeline: Pipeline) -> None:
    finding = reasons(pipeline, blank(1).image)
    assert says(finding, "no white cell found: move the stage")
    assert finding.top is None
    assert finding.probabilities == {}
    assert not finding.mask.values.any()


def test_a_field_of_red_cells_has_no_white_cell(pipeline: Pipeline) -> None:
    assert says(reasons(pipeline, red_cells_only(1).image), "no white cell found")


def test_a_tissue_tint_is_no_clear_glass(pipeline: Pipeline, good: np.ndarray) -> None:
    tinted = (good * (1.0, 0.72, 0.9)).astype(np.uint8)  # eosin all over, as in a section
    assert says(reasons(pipeline, tinted), "no clear glass")


def test_half_of_real_tissue_sections_show_no_clear_glass(data_dir: Path) -> None:
    tints = []
    for path in list_images(data_dir / "ood" / "histology"):
        image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)  # stored with an alpha channel
        tints.append(measured(image)[1])
    assert len(tints) == 50
    assert np.median(tints) > Limits().max_glass_tint


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"focus": 0.01}, "out of focus (36% of the least sharpness): turn the fine focus"),
        ({"clipped": 0.7}, "over- or underexposed (70%"),
        ({"brightness": 0.1}, "too dark (glass at 10%): raise the lamp"),
        ({"cell_share": 0.7}, "cells lie too thick (70% of the field): go to a thinner part"),
    ],
)
def test_each_limit_has_its_own_sentence(facts: Classifier, change: dict[str, float], words: str) -> None:
    (said,) = refusals(replace(GOOD, **change), 0.0, 5, SURE, facts, Limits())
    assert said.startswith(words)
    assert SENTENCE.match(said)


def test_a_good_field_has_no_refusal(facts: Classifier) -> None:
    assert refusals(GOOD, 0.0, 5, SURE, facts, Limits()) == ()


def test_without_a_cell_focus_and_classes_are_not_spoken_of(facts: Classifier) -> None:
    said = refusals(replace(GOOD, focus=0.0, cell_share=0.0), 0.0, 0, None, facts, Limits())
    assert said == ("no white cell found: move the stage to another field",)


def test_a_cell_on_the_scale_bar_is_no_cell_and_the_reason_says_where_it_lies(pipeline: Pipeline) -> None:
    field, image = render("Pre", 3, cells=1), blank(1).image.copy()
    rows, columns = np.nonzero(field.mask.cell)
    patch = field.image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    height, width = patch.shape[:2]
    image[-height - 1 : -1, -width - 1 : -1] = patch
    found = reasons(pipeline, image)
    assert len(found.cells) == 1
    assert found.top is None
    assert says(found, "no white cell found clear of the scale bar's corner: move the stage")


def test_all_that_is_wrong_is_said_at_once(facts: Classifier) -> None:
    said = refusals(replace(GOOD, focus=0.001, brightness=0.1), 0.5, 5, SURE, facts, Limits())
    assert [words.split(" (")[0] for words in said] == ["too dark", "no clear glass", "out of focus"]


def test_a_verdict_that_is_not_sure_enough_abstains(facts: Classifier) -> None:
    unsure = judge(np.zeros((1, 4)), np.ones(1), 1.0)
    strict = facts.model_copy(update={"abstain_below": 0.5})
    (said,) = refusals(GOOD, 0.0, 5, unsure, strict, Limits())
    assert said == "not sure enough (25%, asked 50%): look at more fields"


def test_a_verdict_that_is_too_strange_abstains_where_a_limit_was_fitted(facts: Classifier) -> None:
    strange = Verdict(SURE.probabilities, SURE.of_cells, ood_score=0.9)
    (said,) = refusals(GOOD, 0.0, 5, strange, facts, Limits())
    assert said.startswith("unlike anything learnt (strangeness 0.90, at most 0.50): check stain, slide")
    assert refusals(GOOD, 0.0, 5, strange, facts.model_copy(update={"ood_above": None}), Limits()) == ()


def test_only_the_frame_is_judged_not_its_mirrored_border() -> None:
    image = np.full((100, 100, 3), 200, np.uint8)
    image[:, :10] = 0
    quality, _ = measured(image, pixel_size_um=0.5)
    assert quality.clipped == pytest.approx(0.1)
