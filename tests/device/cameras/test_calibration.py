"""Calibration: neutral and even light, a scale from a ruling, and what tells that they no longer hold."""

import json
import os
from dataclasses import replace

import cv2
import numpy as np
import pytest

from device.cameras import calibration
from device.cameras.calibration import NONE, Calibration, Corrector, line_spacing_px, measure_blank
from smear.errors import ImageError, SettingsError
from smear.findings import Frame
from smear.imaging.masking import background_of
from smear.imaging.resampling import to_model_scale
from smear.inference.quality_gate import REFUSE_DRIFT, Measured, Reference, measure
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


def ruling(spacing: float, degrees: float, width: float = 1.5, shape=(480, 640)) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Dark lines on glass, each fifth one wider, as on a stage micrometre."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    across = x * np.cos(np.radians(degrees)) + y * np.sin(np.radians(degrees)) + 7.3
    number = np.rint(across / spacing)
    off = np.abs(across - number * spacing)
    wide = np.where(number % 5 == 0, 1.6 * width, width)
    grey = 210 - 150 / (1 + np.exp((off - wide / 2) * 3))
    noise = np.random.default_rng(1).normal(0, 3, shape)
    return np.clip(np.repeat((grey + noise)[..., None], 3, axis=2), 0, 255).astype(np.uint8)


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


@pytest.mark.parametrize("spacing", [9.7, 24.3, 61.5])
@pytest.mark.parametrize("degrees", [0, 90, 12, -35])
def test_the_spacing_of_a_ruling_is_found_in_any_direction(spacing, degrees):
    assert line_spacing_px(ruling(spacing, degrees)) == pytest.approx(spacing, rel=0.01)


def test_a_scale_is_the_division_over_the_spacing():
    made = calibration.measure_scale(NONE, ruling(40.0, 3), 10.0)
    assert made.pixel_size_um == pytest.approx(0.25, rel=0.01)
    assert made.size == (640, 480)


def test_a_smear_is_no_ruling():
    noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    with pytest.raises(ImageError, match="regular"):
        line_spacing_px(cv2.GaussianBlur(cv2.resize(noise, (640, 480)), (0, 0), 2))


def test_a_scale_that_no_microscope_has_is_refused():
    with pytest.raises(ImageError, match="none of a microscope"):
        calibration.typed_scale(NONE, 12.0, None)


def test_it_is_stored_with_a_date_and_an_id_that_changes_with_its_content(tmp_path):
    first = calibration.save(calibration.typed_scale(NONE, 0.25, (640, 480)), tmp_path, 1_700_000_000.0)
    assert first.id.startswith("20231114T221320Z-")
    assert calibration.load(tmp_path) == first
    second = calibration.save(calibration.typed_scale(first, 0.5, (640, 480)), tmp_path, 1_700_000_000.0)
    assert second.id != first.id


def test_no_file_means_no_calibration_and_a_damaged_one_is_told(tmp_path):
    assert calibration.load(tmp_path) == NONE
    for text in ("{", '{"flat": [[1]]}', '{"pixel_size_um": -1}', '{"flat": [[[1, 1, 1]]]}'):
        (tmp_path / calibration.FILE).write_text(text)
        with pytest.raises(SettingsError, match=r"calibrat"):
            calibration.load(tmp_path)


def test_frames_of_another_size_are_left_alone_and_said():
    corrector = Corrector(measure_blank(NONE, blank(), white=True, flat=True))
    other = frame(np.full((100, 100, 3), 128))
    assert corrector.correct(other) is other
    assert "calibrate again" in corrector.warnings(other, finding())[0]


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


@pytest.mark.parametrize(
    "change",
    [
        {"white": [float("nan"), 1, 1]}, {"white": [1e300, 1, 1]}, {"white": [0, 1, 1]},
        {"glass": [float("inf"), 1, 1]},
        {"glass": [-1, 1, 1]}, {"best_focus": float("nan")}, {"best_focus": 1e300}, {"pixel_size_um": float("nan")},
        {"pixel_size_um": 1e-9}, {"size": [0, 5]}, {"size": [10**9, 5]}, {"flat": [[[float("nan")] * 3] * 32] * 24},
        {"controls": {"gain": float("inf")}}, {"controls": {"gains": [1.0, float("nan")]}}, {"id": "\x1b[31m"},
        {"schema_version": 2},
    ],
)  # fmt: skip
def test_no_number_of_a_calibration_is_anything_but_finite_and_in_its_range(tmp_path, change):
    (tmp_path / calibration.FILE).write_text(json.dumps(change))
    with pytest.raises(SettingsError, match=r"calibration\.json: .*calibrate") as refused:
        calibration.load(tmp_path)
    assert "\n" not in str(refused.value)
    assert str(refused.value).isprintable()


def test_a_calibration_that_is_no_file_is_said_without_waiting(tmp_path):
    os.mkfifo(tmp_path / calibration.FILE)
    with pytest.raises(SettingsError, match="is no regular file; remove it"):
        calibration.load(tmp_path)
