"""Overlays: outlines in class colours for a labelled field, white ones and REFUSED for a refused one, and a legend."""

import dataclasses

import numpy as np
import pytest

from smear.classes import FIELD_CLASSES
from smear.findings import Finding
from smear.inference.legend import legend_lines
from smear.inference.overlay import UNCLASSIFIED, draw_overlay
from tests.device.findings import finding as make_finding

COLOURS = [each.colour for each in FIELD_CLASSES]


def has(image: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((image == colour).all(-1).any())


@pytest.fixture
def labelled() -> Finding:
    """A labelled finding of a field of 48 by 64 pixels, whose two cells lie in the upper left corner."""
    return make_finding("Pre")


GLASS = np.full((480, 640, 3), 230, np.uint8)


def on_glass(finding: Finding) -> np.ndarray:
    mask = dataclasses.replace(finding.mask, values=np.zeros(GLASS.shape[:2], np.uint8))
    return draw_overlay(GLASS, dataclasses.replace(finding, mask=mask))


def test_a_labelled_field_has_class_colours_and_a_legend_of_all_classes(labelled: Finding) -> None:
    drawn = on_glass(labelled)
    assert drawn.shape == GLASS.shape
    for colour in COLOURS:
        assert has(drawn[240:], colour)  # the legend, far from the cells
    assert has(drawn[:20, :20], COLOURS[2])
    assert [text for text, _ in legend_lines(refused=False)] == [
        "Benign", "Early Pre-B", "Pre-B", "Pro-B", "research use only",
    ]  # fmt: skip


def test_a_refused_field_says_so_and_has_no_class_colour(labelled: Finding) -> None:
    drawn = on_glass(dataclasses.replace(labelled, label=None))
    assert not any(has(drawn, colour) for colour in COLOURS)
    assert has(drawn[:20, :20], UNCLASSIFIED)
    assert [text for text, _ in legend_lines(refused=True)] == ["REFUSED: no label", "research use only"]


def test_the_legend_hides_as_few_cells_as_it_can(labelled: Finding) -> None:
    values = np.zeros(GLASS.shape[:2], np.uint8)
    values[240:] = 255
    values[:, :320] = 255
    drawn = draw_overlay(GLASS, dataclasses.replace(labelled, mask=dataclasses.replace(labelled.mask, values=values)))
    assert (drawn[240:] == 230).all()
    assert has(drawn[:240, 320:], COLOURS[0])


@pytest.mark.parametrize("shape", [(32, 32), (32, 900), (900, 32), (224, 224)])
def test_a_field_of_any_shape_keeps_it(labelled: Finding, shape: tuple[int, int]) -> None:
    values = np.zeros(shape, np.uint8)
    drawn = draw_overlay(
        np.full((*shape, 3), 230, np.uint8),
        dataclasses.replace(labelled, mask=dataclasses.replace(labelled.mask, values=values)),
    )
    assert drawn.shape == (*shape, 3)


def test_the_overlay_of_a_field_that_was_not_checked_at_its_site_says_so() -> None:
    texts = [text for text, _ in legend_lines(refused=False, unchecked=True)]
    assert texts == ["Benign", "Early Pre-B", "Pre-B", "Pro-B", "not checked at this site", "research use only"]
