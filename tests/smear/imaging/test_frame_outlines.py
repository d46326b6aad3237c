"""Outlines in the frame's own pixels, of drawn fields that go through the models that ship."""

import cv2
import numpy as np
import pytest

from device.bundles import shipped_bundle
from smear.bundle.folder import load_bundle
from smear.findings import CYTOPLASM, CellMask, Frame
from smear.imaging.frame_outlines import frame_outlines
from smear.inference.frame_processor import FrameProcessor
from smear.inference.pipeline import Pipeline
from smear.synthetic import render
from tests.device.findings import cell


def iou(first: np.ndarray, second: np.ndarray) -> float:
    return float((first & second).sum() / (first | second).sum())


def filled(outlines: list[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """A label image; a pixel that two outlines hold is -1."""
    labels = np.zeros(shape, int)
    for number, outline in enumerate(outlines, 1):
        one = np.zeros(shape, np.uint8)
        cv2.fillPoly(one, [outline], (1,))
        labels = np.where(one > 0, np.where(labels == 0, number, -1), labels)
    return labels


@pytest.fixture(scope="module")
def processor():
    pipeline = Pipeline(load_bundle(shipped_bundle()), threads=1)
    yield FrameProcessor(pipeline)
    pipeline.close()


@pytest.mark.parametrize(("shape", "pixel_size_um"), [((224, 224), 0.5), ((480, 640), 0.25), ((960, 1280), 0.125)])
def test_the_outlines_of_a_drawn_field_cover_its_mask_cell_by_cell(processor, shape, pixel_size_um):
    field = render("Early", 1, shape, pixel_size_um).image
    finding = processor.process(Frame(field, "drawn", pixel_size_um)).finding
    labels = filled(frame_outlines(finding.mask, finding.cells), shape)
    assert len(finding.cells) > 3
    assert (labels >= 0).all()  # no pixel is of two cells
    assert iou(labels > 0, finding.mask.cell) > 0.99
    _, parts = cv2.connectedComponents(finding.mask.cell.view(np.uint8))
    for part in range(1, parts.max() + 1):
        numbers = np.unique(labels[(parts == part) & (labels > 0)])
        if len(numbers) == 1:  # this part of the mask is one cell
            assert iou(labels == numbers[0], parts == part) >= 0.98


def test_a_cell_that_the_mask_does_not_show_keeps_its_contour():
    lost = cell()
    assert frame_outlines(CellMask(np.zeros((48, 64), np.uint8)), [lost])[0] is lost.contour
    assert frame_outlines(CellMask(np.full((48, 64), CYTOPLASM, np.uint8)), []) == []
