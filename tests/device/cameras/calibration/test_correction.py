"""Neutral and even light from a calibration, and what tells that it no longer holds."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from device.cameras.calibration import NONE, Calibration, Corrector
from device.cameras.calibration.gains import CACHED_PIXELS, STRIP_ROWS, GainRows
from device.cameras.calibration.measurement import BlankMean, measure_blank
from smear.errors import ImageError
from smear.findings import Frame
from smear.imaging.field_quality import Measured, Reference, measure
from smear.imaging.masking import background_of
from smear.imaging.resampling import to_model_scale
from smear.inference.quality_gate import REFUSE_DRIFT
from smear.synthetic import render
from tests.device.findings import finding

SHAPE = (240, 320)
TINT = np.array([200.0, 180.0, 150.0], np.float32)


def vignette() -> np.ndarray:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(np.float32)
    distance = np.hypot((x / SHAPE[1] - 0.5), (y / SHAPE[0] - 0.5))
    return 1.0 - 0.4 * distance[..., None] ** 2


def blank() -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 1, (*SHAPE, 3))
    return np.clip(TINT * vignette() + noise, 0, 255).astype(np.float32)


def frame(image: np.ndarray) -> Frame:
    return Frame(np.clip(np.rint(image), 0, 255).astype(np.uint8), "test:")


def test_a_blank_field_becomes_neutral_and_even():
    made = measure_blank(NONE, blank(), white=True, flat=True)
    corrected = Corrector(made).correct(frame(blank())).image.astype(float)
    means = cv2.GaussianBlur(corrected, (0, 0), 8)
    assert means.max() - means.min() < 6  # of 255, before: 100
    assert np.ptp(corrected.mean(axis=(0, 1))) < 1


def test_white_alone_leaves_the_fall_of_the_light():
    made = measure_blank(NONE, blank(), white=True, flat=False)
    corrected = Corrector(made).correct(frame(blank())).image.astype(float)
    assert np.ptp(corrected.mean(axis=(0, 1))) < 1.5
    assert corrected[100:140, 140:180].mean() - corrected[:20, :20].mean() > 20


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (blank() * 0.2, "too dark"),
        (np.full((*SHAPE, 3), 254, np.float32), "too bright"),
        (
            blank() - 100 * (np.random.default_rng(0).random((12, 16)) < 0.1).repeat(20, 0).repeat(20, 1)[..., None],
            "not",
        ),
    ],
)
def test_what_is_no_blank_field_is_refused_with_its_reason(image, said):
    with pytest.raises(ImageError, match=said):
        measure_blank(NONE, np.clip(image, 0, 255).astype(np.float32), white=True, flat=False)


def test_frames_of_another_size_are_left_alone_measured_against_nothing_and_said():
    corrector = Corrector(measure_blank(NONE, blank(), white=True, flat=True).model_copy(update={"size": SHAPE[::-1]}))
    assert corrector.correct(frame(blank())).image.tobytes() != frame(blank()).image.tobytes()
    assert corrector.reference.background is not None
    other = frame(np.full((100, 100, 3), 128))
    assert corrector.correct(other) is other
    assert corrector.reference == Corrector().reference
    assert "is not applied: it is for 320x240, not 100x100" in corrector.warnings(other, finding())[0]


def test_a_record_names_the_calibration_only_where_it_was_applied():
    corrector = Corrector(Calibration(id="c-1", pixel_size_um=0.25, size=SHAPE[::-1]))
    corrector.correct(frame(blank()))
    assert corrector.applied_id == "c-1"
    corrector.correct(frame(np.full((100, 100, 3), 128)))
    assert corrector.applied_id is None


def test_a_scale_for_no_size_in_particular_is_for_that_of_the_first_frame():
    corrector = Corrector(Calibration(pixel_size_um=0.25))
    assert corrector.correct(frame(blank())).pixel_size_um == 0.25
    assert corrector.correct(frame(np.full((100, 100, 3), 128))).pixel_size_um is None


def test_the_mean_of_frames_takes_the_memory_of_a_small_one_and_refuses_another_size():
    mean = BlankMean()
    for value in (100, 102):
        mean.add(np.full((3000, 4000, 3), value, np.uint8))
    assert (mean.size, mean.mean().shape, float(mean.mean().mean())) == ((4000, 3000), (960, 1280, 3), 101.0)
    with pytest.raises(ImageError, match="changed its picture"):
        mean.add(np.zeros((10, 10, 3), np.uint8))


def test_gains_made_strip_by_strip_are_those_made_at_once(monkeypatch):
    made = measure_blank(NONE, blank(), white=True, flat=True)
    shape = (3 * STRIP_ROWS + 7, 200)
    assert shape[0] * shape[1] < CACHED_PIXELS
    grid = np.array(made.flat, np.float32) * np.array(made.white, np.float32)
    expected = cv2.resize(grid, shape[::-1], interpolation=cv2.INTER_CUBIC)
    np.testing.assert_allclose(GainRows(made, shape).gains(slice(0, shape[0])), expected, atol=1e-5)
    monkeypatch.setattr("device.cameras.calibration.gains.CACHED_PIXELS", 0)
    np.testing.assert_allclose(GainRows(made, shape).gains(slice(64, 128)), expected[64:128], atol=1e-5)


def test_what_a_camera_knows_of_its_scale_comes_first():
    corrector = Corrector(Calibration(pixel_size_um=0.25))
    known = Frame(np.zeros((10, 10, 3), np.uint8), "x", 0.5)
    assert corrector.correct(known).pixel_size_um == 0.5
    assert corrector.correct(Frame(known.image, "x")).pixel_size_um == 0.25


@pytest.mark.parametrize(
    ("tint", "refused", "warned"),
    [((1, 1, 1), False, False), ((1, 0.95, 0.84), False, True), ((1, 0.85, 0.6), True, False)],
)
def test_light_that_drifts_is_warned_of_and_other_light_refuses_the_label(tint, refused, warned):
    corrector = Corrector(measure_blank(NONE, blank(), white=True, flat=False))
    seen = corrector.correct(frame(blank() * np.array(tint, np.float32)))
    quality = measured(seen, corrector.reference).quality
    assert (quality.colour_drift > REFUSE_DRIFT) == refused
    assert bool(corrector.warnings(seen, replace(finding(), quality=quality))) == warned


def test_focus_is_relative_to_the_calibrated_best():
    drawn = render("Pre", 1)
    seen, cell = frame(drawn.image), drawn.mask.cell
    absolute = measured(seen, Corrector(Calibration()).reference, cell)
    relative = measured(seen, Corrector(Calibration(best_focus=2.0)).reference, cell)
    assert relative.absolute_focus == absolute.quality.focus > 0
    assert relative.quality.focus == pytest.approx(absolute.quality.focus / 2)


def measured(seen: Frame, reference: Reference, cell: np.ndarray | None = None) -> Measured:
    """What the gate measures of `seen`, with bool (h, w) `cell` at model scale; None: without a cell."""
    view = to_model_scale(seen.image)
    cell = np.zeros(view.pixels.shape[:2], bool) if cell is None else cell
    return measure(view, cell, background_of(view, cell), reference)
