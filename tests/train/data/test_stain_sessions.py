import numpy as np

from train.data import stain_sessions

CENTRES = np.array([[95, 0, 2, 75, 0, 0], [93, -3, 8, 65, -4, -8], [96, 3, -2, 70, 6, -6]], np.float32)


def colours(sizes: tuple[int, int, int]) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.concatenate([c + rng.normal(0, 0.3, (n, 6)) for c, n in zip(CENTRES, sizes, strict=True)]).astype("f4")


def test_fields_of_one_colour_are_one_session_and_the_largest_is_the_first() -> None:
    found = stain_sessions.find(colours((20, 40, 10)), ["Benign"] * 70, list(range(70)))
    assert found == ["Benign-2"] * 20 + ["Benign-1"] * 40 + ["Benign-3"] * 10


def test_every_second_class_counts_from_its_smallest_session_so_that_folds_are_even() -> None:
    found = stain_sessions.find(colours((20, 40, 10)), ["Early"] * 70, list(range(70)))
    assert found == ["Early-2"] * 20 + ["Early-3"] * 40 + ["Early-1"] * 10


def test_a_group_of_near_duplicates_never_straddles_sessions() -> None:
    groups = list(range(70))
    groups[18] = groups[19] = groups[20] = groups[0]  # 20 is of the second colour
    found = stain_sessions.find(colours((20, 40, 10)), ["Benign"] * 70, groups)
    assert found[20] == found[0] == "Benign-2"


def test_the_right_number_of_sessions_has_the_best_silhouette() -> None:
    scores = stain_sessions.silhouettes(colours((20, 40, 10)), ["Pro"] * 70)
    assert max(scores, key=lambda count: scores[count]) == 3


def test_glass_and_red_cells_are_told_apart() -> None:
    image = np.full((224, 224, 3), (245, 250, 230), np.uint8)
    image[40:100, 40:160] = (150, 160, 190)
    image[140:180, 40:80] = (120, 50, 190)  # a leukocyte, which is no background
    glass, red = stain_sessions.background_colours(image).reshape(2, 3)
    assert glass[0] > 95
    assert glass[2] > 0  # yellowish
    assert red[0] < 70
    assert red[2] < 0  # bluish


def test_a_field_full_of_cells_still_has_colours() -> None:
    violet = np.full((224, 224, 3), (120, 60, 190), np.uint8)
    assert np.isfinite(stain_sessions.background_colours(violet)).all()
