import cv2
import numpy as np
import pytest

from train.data import near_duplicates


def field(seed: int, size: int = 300) -> np.ndarray:
    """A background of grey rings with some dark violet cells, larger than one field."""
    rng = np.random.default_rng(seed)
    image = np.full((size, size, 3), (250, 250, 245), np.uint8)
    for x, y, radius in rng.integers((0, 0, 5), (size, size, 9), (220, 3)).tolist():
        cv2.ellipse(image, (x, y), (radius, max(3, radius - int(rng.integers(3)))), int(rng.integers(180)), 0, 360,
                    (170, 180, int(rng.integers(170, 200))), int(rng.integers(1, 4)))  # fmt: skip
    for x, y, radius in rng.integers((0, 0, 9), (size, size, 14), (12, 3)).tolist():
        cv2.circle(image, (x, y), radius, (120, int(rng.integers(50, 90)), 190), -1)
    return cv2.GaussianBlur(image, (0, 0), 0.8)


def shot(place: np.ndarray, x: int = 30, y: int = 30) -> np.ndarray:
    return np.ascontiguousarray(place[y : y + 224, x : x + 224])


def pairs_of(*images: np.ndarray) -> list[tuple[int, int]]:
    return [(p.first, p.second) for p in near_duplicates.find(images, ["Pre"] * len(images), quiet=True)]


@pytest.mark.parametrize(
    "again",
    [
        lambda place: shot(place, 62, 15),
        lambda place: np.clip(shot(place) * 0.8, 0, 255).astype(np.uint8),
        lambda place: cv2.GaussianBlur(shot(place, 35, 28), (0, 0), 1.2),
        lambda place: shot(cv2.resize(place, None, fx=1.15, fy=1.15), 50, 50),
    ],
    ids=["shifted", "darker", "out of focus", "zoomed"],
)
def test_a_second_shot_of_the_same_place_is_found(again) -> None:
    place = field(1)
    assert pairs_of(shot(place), again(place), shot(field(2)), shot(field(3))) == [(0, 1)]


def test_other_places_of_one_slide_are_not_taken_for_second_shots() -> None:
    assert pairs_of(*(shot(field(seed)) for seed in range(6))) == []


def test_the_shift_is_given_in_pixels() -> None:
    place = field(1)
    (pair,) = near_duplicates.find([shot(place, 30, 30), shot(place, 62, 15)], ["Pre", "Pre"], quiet=True)
    assert pair.shift == pytest.approx((-32, 15), abs=0.5)
    assert pair.zoom == pytest.approx(1, abs=0.01)


def test_fields_of_different_classes_are_never_compared() -> None:
    place = field(1)
    assert near_duplicates.find([shot(place), shot(place, 40)], ["Pre", "Pro"], quiet=True) == []


def test_an_empty_field_has_no_second_shot() -> None:
    blank = np.full((224, 224, 3), 240, np.uint8)
    assert pairs_of(blank, blank, shot(field(1))) == []


def test_groups_follow_chains_of_pairs() -> None:
    assert near_duplicates.groups(6, [(4, 2), (2, 1), (5, 3)]) == [0, 1, 1, 3, 1, 3]


def test_every_later_copy_is_paired_with_the_first() -> None:
    assert near_duplicates.duplicates(["a", "b", "a", "c", "a"]) == [(0, 2), (0, 4)]
