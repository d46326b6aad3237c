"""Distinct fields from fields seen again: shifted crops, and the data set's own second shots."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from device.store.duplicate_fields import MEMORY, FieldTracker, describe
from smear.images import list_images, read_image
from smear.synthetic import SyntheticSlide

RESHOTS = Path(__file__).parent / "reshots.csv"
"""Pairs of pictures that show one field: SIFT with a ratio test, at least 15 inliers to one similarity; an object
count of the histogram shows a gap from 7 to 15 inliers. `overlap` is the share of the area that both show."""
WANTED = 0.95  # precision and recall that issue 5 asks for


def smear(seed: int, size: int = 900) -> np.ndarray:
    """A stretch of smear with red cells and nuclei strewn over it: enough texture for a tracker."""
    rng = np.random.default_rng(seed)
    image = np.full((size, size, 3), (235, 225, 230), np.uint8)
    for radius, colour, count in (
        (14, (205, 160, 165), size * size // 1500),
        (24, (110, 60, 140), size * size // 40000),
    ):
        for x, y in rng.integers(0, size, (count, 2)):
            shade = np.clip(np.array(colour) + rng.integers(-20, 20), 0, 255).tolist()
            cv2.ellipse(image, (int(x), int(y)), (radius, radius - 3), float(rng.integers(180)), 0, 360, shade, -1, 16)
    return cv2.GaussianBlur(image, (0, 0), 1.5)


def shot(image: np.ndarray, x: int, y: int, seed: int, gain: float = 1.0, zoom: float = 1.0) -> np.ndarray:
    """A 320x240 picture of a place, with its own noise, light and zoom."""
    width, height = round(320 * zoom), round(240 * zoom)
    crop = cv2.resize(image[y : y + height, x : x + width], (320, 240), interpolation=cv2.INTER_AREA)
    noise = np.random.default_rng(seed).normal(0, 3, crop.shape)
    return np.clip(crop * gain + noise, 0, 255).astype(np.uint8)


def test_nothing_is_known_at_first():
    assert FieldTracker().find(describe(shot(smear(1), 0, 0, 0))) is None


@pytest.mark.parametrize(
    ("dx", "dy", "gain", "zoom"),
    [
        (0, 0, 1.0, 1.0),
        (0, 0, 0.75, 1.0),
        (0, 0, 1.0, 1.05),
        (100, 0, 1.1, 1.0),
        (-60, 90, 0.9, 1.0),
        (190, 30, 1.0, 1.0),
    ],
)
def test_a_field_is_known_again_shifted_darker_or_zoomed(dx, dy, gain, zoom):
    tracker = FieldTracker()
    image = smear(2)
    others = [tracker.remember(describe(shot(smear(seed), 10, 10, seed))) for seed in range(10, 20)]
    key = tracker.remember(describe(shot(image, 300, 300, 1)))
    assert tracker.find(describe(shot(image, 300 + dx, 300 + dy, 2, gain, zoom))) == key
    assert key not in others


def test_the_neighbouring_field_is_new():
    tracker = FieldTracker()
    image = smear(3)
    tracker.remember(describe(shot(image, 100, 100, 1)))
    assert tracker.find(describe(shot(image, 420, 100, 2))) is None


def test_two_blank_fields_with_noise_are_not_taken_for_one():
    tracker = FieldTracker()
    glass = np.full((240, 320, 3), 230, np.uint8)
    tracker.remember(describe(shot(glass, 0, 0, 1)))
    assert tracker.find(describe(shot(glass, 0, 0, 2))) is None


def test_frames_of_another_size_are_never_the_same_field():
    tracker = FieldTracker()
    picture = shot(smear(4), 0, 0, 1)
    tracker.remember(describe(picture))
    assert tracker.find(describe(cv2.resize(picture, (640, 480)))) is None


def test_the_oldest_field_is_forgotten_first():
    tracker = FieldTracker(memory=3)
    views = [describe(shot(smear(seed), 0, 0, seed)) for seed in range(4)]
    keys = [tracker.remember(view) for view in views]
    assert [tracker.find(view) for view in views] == [None, *keys[1:]]


def test_stage_moves_are_told_from_new_fields():
    rng = np.random.default_rng(7)
    again = new = again_found = false = 0
    for seed in range(12):
        image = smear(100 + seed)
        tracker = FieldTracker()
        places = [(x, y) for y in (0, 330) for x in (0, 500)]
        keys = [tracker.remember(describe(shot(image, x, y, seed))) for x, y in places]
        for key, (x, y) in zip(keys, places, strict=True):
            dx, dy = rng.integers(0, 60, 2)
            found = tracker.find(describe(shot(image, x + int(dx), y + int(dy), 900 + seed, rng.uniform(0.85, 1.15))))
            again, again_found, false = again + 1, again_found + (found == key), false + (found not in {None, key})
        found = tracker.find(describe(shot(smear(500 + seed), 200, 200, seed)))
        new, false = new + 1, false + (found is not None)
    assert again_found / again >= WANTED
    assert again_found / (again_found + false) >= WANTED


def test_the_data_sets_second_shots_are_told_from_different_fields(data_dir):
    """Each known pair among 200 remembered fields, and each of its pictures among 200 unrelated ones."""
    root = data_dir / "taleqani" / "Original"
    rows = list(csv.DictReader(RESHOTS.open()))
    rng = np.random.default_rng(0)
    rows = [rows[k] for k in rng.permutation(len(rows))[:250]]  # a sample, for the suite's time
    paths = list_images(root)
    related = _groups(list(csv.DictReader(RESHOTS.open())))
    others = [paths[k] for k in rng.permutation(len(paths))[:400]]
    views = {
        path: describe(read_image(path))
        for path in {*others, *(root / r[n] for r in rows for n in ("first", "second"))}
    }
    found = missed = false = 0
    for row in rows:
        first, second = root / row["first"], root / row["second"]
        group = related[row["first"]]
        unrelated = [path for path in others if str(path.relative_to(root)) not in group]
        memory = [unrelated[k] for k in rng.permutation(len(unrelated))[:MEMORY]]
        for remembered, same in (([*memory[1:], second], second), (memory, None)):
            tracker = FieldTracker()
            for path in remembered:
                tracker.remember(views[path])
            key = tracker.find(views[first])
            answer = None if key is None else remembered[key]
            found += answer is not None and answer == same
            missed += same is not None and answer != same
            false += answer is not None and answer != same
    recall, precision = found / (found + missed), found / (found + false)
    assert recall >= WANTED, f"recall {recall:.3f}"
    assert precision >= WANTED, f"precision {precision:.3f}"


def _groups(rows: list[dict[str, str]]) -> dict[str, set[str]]:
    """Every picture's group: those joined to it by any chain of pairs."""
    group: dict[str, set[str]] = {}
    for row in rows:
        joined = group.get(row["first"], {row["first"]}) | group.get(row["second"], {row["second"]})
        for name in joined:
            group[name] = joined
    return group


@pytest.mark.parametrize("label", ["Benign", "Pro"])
def test_moves_of_the_simulated_stage_are_told_from_new_fields(label):
    """The stage goes to four places, then back near each: 30 to 100 % of the area shared, other light, other noise."""
    slide, rng, width, height, pixel_um = SyntheticSlide(label, 5, 0.5), np.random.default_rng(5), 320, 240, 0.5
    tracker = FieldTracker()
    places = [(x * width * pixel_um * 2, y * height * pixel_um * 2) for y in range(2) for x in range(2)]
    for number, (x, y) in enumerate(places):
        view = describe(slide.field_at(x, y, (height, width), noise_seed=number).image)
        assert tracker.find(view) is None
        tracker.remember(view)
    for key, (x, y) in enumerate(places):
        shared, across = rng.uniform(0.3, 1.0), rng.uniform(0.8, 1.0)
        dx = (1 - max(across, shared)) * width * pixel_um
        dy = (1 - shared / max(across, shared)) * height * pixel_um
        again = slide.field_at(x + dx, y + dy, (height, width), noise_seed=100 + key).image
        assert tracker.find(describe(cv2.convertScaleAbs(again, alpha=rng.uniform(0.85, 1.0)))) == key
