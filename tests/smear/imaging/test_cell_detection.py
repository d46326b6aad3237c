"""From probabilities to cells: masks without specks, touching cells split, each measured as drawn."""

import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smear.errors import ImageError
from smear.findings import BACKGROUND, CYTOPLASM, NUCLEUS, CellMask
from smear.imaging.cell_detection import (
    EDGE_WEIGHT,
    FULL_WEIGHT_PX,
    MIN_CELL_PX,
    clear_of_scale_bar,
    find_cells,
)
from smear.imaging.contours import MAX_LOG_ODDS
from smear.imaging.resampling import ModelFrame, to_model_scale
from smear.imaging.stain_normalization import fill_holes
from smear.imaging.tiling import whole_strides
from smear.imaging.watershed import split_touching_cells
from tests.smear.reference import measured, split_by_outline

BACKGROUND_PIXEL = np.array([0.9, 0.05, 0.05], np.float32)
DRAWN_CELLS = 328  # in the 32 drawn masks, specks aside
SPLIT_RIGHT = 320


def discs(*circles: tuple[int, int, int], shape: tuple[int, int] = (224, 224)) -> np.ndarray:
    """Bool (h, w) of discs given as x, y, radius."""
    drawn = np.zeros(shape, np.uint8)
    for x, y, radius in circles:
        cv2.circle(drawn, (x, y), radius, 1, cv2.FILLED)
    return drawn > 0


def view_of(shape: tuple[int, int] = (224, 224), pixel_size_um: float | None = 0.5) -> ModelFrame:
    return to_model_scale(np.full((*shape, 3), 200, np.uint8), pixel_size_um)


def two_level(cell: np.ndarray, nucleus: np.ndarray) -> CellMask:
    return CellMask(np.select([nucleus, cell], [NUCLEUS, CYTOPLASM], BACKGROUND).astype(np.uint8))


def test_a_mask_holds_only_its_three_values_and_the_likelier_one() -> None:
    probabilities = np.tile(BACKGROUND_PIXEL, (40, 40, 1)).astype(np.float32)
    probabilities[5:30, 5:30] = (0.2, 0.5, 0.3)
    probabilities[10:20, 10:20] = (0.2, 0.3, 0.5)
    values = mask_in(probabilities)
    assert values.dtype == np.uint8
    assert values[7, 7] == CYTOPLASM
    assert values[12, 12] == NUCLEUS
    assert values[35, 35] == BACKGROUND
    assert np.count_nonzero(values) == 25 * 25


def test_specks_are_removed_and_holes_are_filled() -> None:
    probabilities = np.tile(BACKGROUND_PIXEL, (60, 60, 1)).astype(np.float32)
    probabilities[2:6, 2:6] = (0.1, 0.1, 0.8)
    probabilities[20:40, 20:40] = (0.1, 0.8, 0.1)
    probabilities[28:31, 28:31] = BACKGROUND_PIXEL
    values = mask_in(probabilities)
    assert not values[:10, :10].any()
    assert (values[20:40, 20:40] != BACKGROUND).all()


def mask_in(probabilities: np.ndarray) -> np.ndarray:
    size = probabilities.shape[0]
    view = to_model_scale(np.full((size, size, 3), 200, np.uint8), 0.5, size=size)
    found = find_cells(probabilities, view)
    return found.contours.in_frame(found.boxes, view).values


def test_an_empty_field_has_no_cells() -> None:
    labels = split_by_outline(np.zeros((224, 224), bool))
    assert not labels.any()
    assert measured(labels, CellMask(np.zeros((224, 224), np.uint8)), view_of(), None) == []


def test_a_field_that_is_all_cell_has_a_cell() -> None:
    labels = split_by_outline(np.ones((224, 224), bool))
    assert labels.any()
    assert measured(labels, CellMask(np.full((224, 224), NUCLEUS, np.uint8)), view_of(), None)


def test_two_touching_cells_are_split_at_their_neck() -> None:
    labels = split_by_outline(discs((80, 100, 14), (104, 100, 14)))
    assert labels.max() == 2
    assert labels[100, 80] != labels[100, 104]
    assert abs(np.count_nonzero(labels == 1) - np.count_nonzero(labels == 2)) < 60


def test_a_chain_of_three_is_three() -> None:
    assert split_by_outline(discs((60, 60, 13), (83, 66, 13), (104, 78, 13))).max() == 3


def test_one_round_cell_and_one_long_cell_stay_whole() -> None:
    assert split_by_outline(discs((100, 100, 16))).max() == 1
    long = np.zeros((224, 224), np.uint8)
    cv2.ellipse(long, (100, 100), (20, 12), 30, 0, 360, 1, cv2.FILLED)
    assert split_by_outline(long > 0).max() == 1


def test_a_speck_is_no_cell() -> None:
    assert split_by_outline(discs((50, 50, 3), (120, 120, 12))).max() == 1


def test_cells_are_found_however_many_specks_lie_beside_them() -> None:
    cell = np.zeros((600, 600), bool)
    cell[::2, ::2] = True  # 90,000 that touch no other: more than uint16 can label
    cell[:120, :120] = False
    cell |= discs((20, 20, 10), (90, 20, 10), (20, 90, 10), (90, 90, 10), shape=(600, 600))
    labels = split_by_outline(cell)
    assert np.bincount(labels[labels > 0]).tolist() == [0, *[317] * 4]


def test_more_cells_than_labels_are_refused() -> None:
    cell = np.zeros((2560, 2560), bool)
    for row in range(8):
        for column in range(8):
            cell[row::10, column::10] = True  # 65,536 squares of 64 pixels
    with pytest.raises(ImageError, match="65,535 cells"):
        split_by_outline(cell)


shapes = st.tuples(st.integers(120, 420), st.integers(120, 420))
scales = st.one_of(st.sampled_from([0.35, 0.5, 0.7]), st.floats(0.25, 1.0))


@settings(deadline=None, max_examples=40)
@given(
    st.one_of(st.just((224, 224)), shapes), scales, st.floats(0.2, 0.8), st.floats(0.2, 0.8), st.sampled_from([1, 2])
)
def test_a_cell_is_found_where_it_lies_in_the_frame_whatever_its_size_and_scale(
    shape: tuple[int, int], pixel_size_um: float, across: float, down: float, stride: int
) -> None:
    radius = 6.0 / pixel_size_um  # a blast of 12 µm
    middle = across * (shape[1] - 1), down * (shape[0] - 1)
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    drawn = np.hypot(x - middle[0], y - middle[1]) <= radius
    view = to_model_scale(np.where(drawn, 90, 230).astype(np.uint8)[..., np.newaxis].repeat(3, axis=2), pixel_size_um)
    dark = np.clip((230 - view.pixels[..., 0].astype(np.float32)) / 140, 0.01, 0.99)
    dark = cv2.resize(whole_strides(dark[..., np.newaxis], stride), None, fx=1 / stride, fy=1 / stride,
                      interpolation=cv2.INTER_AREA)  # fmt: skip
    found = find_cells(np.stack([1 - dark, dark * 0.9, dark * 0.1], axis=-1), view, pixel_size_um)
    cell = min((each.cell for each in found.cells), key=lambda c: math.dist(c.centroid, middle))
    point = max(view.frame_per_model) * stride  # frame pixels per grid point
    assert math.dist(cell.centroid, middle) < point or cell.touches_edge
    left, top, width, height = cv2.boundingRect(drawn.astype(np.uint8))
    box = np.array(cell.bbox)
    assert np.abs(box - (left, top, width, height)).max() < 2 * point + 1
    values = found.contours.in_frame(found.boxes, view).values
    assert values.shape == shape
    assert np.count_nonzero((values != BACKGROUND) & drawn) > 0.85 * np.count_nonzero((values != BACKGROUND) | drawn)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 223), st.integers(0, 223), st.integers(5, 25)), max_size=12))
def test_splitting_adds_no_pixel_and_leaves_no_cell_below_the_smallest_area(
    circles: list[tuple[int, int, int]],
) -> None:
    cell = discs(*circles)
    labels = split_by_outline(cell)
    assert not labels[~cell].any()
    names = np.unique(labels[labels > 0])
    assert names.tolist() == list(range(1, len(names) + 1))
    assert all(np.count_nonzero(labels == name) >= MIN_CELL_PX for name in names)


def drawn_fields(data_dir: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Bool (h, w) of all intact cells of a field, and the label map a person drew."""
    for path in sorted((data_dir / "taleqani_masks").glob("*/*.png")):
        if not path.stem.endswith("_cells"):
            cells = cv2.imread(str(path.with_name(f"{path.stem}_cells.png")), cv2.IMREAD_UNCHANGED)
            yield cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) == 255, cells.astype(int)


def matching_label(drawn: np.ndarray, labels: np.ndarray) -> int:
    """The label that overlaps the cell `drawn` at an IoU of 0.5 or more; 0 when there is none."""
    counts = np.bincount(labels[drawn], minlength=1)
    counts[0] = 0
    label = int(counts.argmax())
    union = np.count_nonzero(drawn) + np.count_nonzero(labels == label) - counts[label]
    return label if label and counts[label] / union >= 0.5 else 0


def test_cells_drawn_by_hand_are_split_as_drawn(data_dir: Path) -> None:
    right, drawn, too_many = 0, 0, 0
    for cell, truth in drawn_fields(data_dir):
        labels = split_by_outline(cell)
        truths = [truth == name for name in np.unique(truth[truth > 0])]
        matched = [matching_label(each, labels) for each in truths]
        hits = {label for label in matched if label}
        drawn += sum(1 for each, label in zip(truths, matched, strict=True) if label or each.sum() >= MIN_CELL_PX)
        right += len(hits)
        too_many += int(labels.max()) - len(hits)
    assert drawn == DRAWN_CELLS
    assert right >= SPLIT_RIGHT
    assert too_many <= DRAWN_CELLS - SPLIT_RIGHT


def test_a_cell_is_measured_as_drawn() -> None:
    cell, nucleus = discs((100, 90, 20)), discs((100, 90, 14))
    (found,) = measured(split_by_outline(cell), two_level(cell, nucleus), view_of(), 0.5)
    area = np.count_nonzero(cell)
    assert found.cell.area_px == area
    assert found.cell.area_um2 == pytest.approx(area * 0.25)
    assert found.cell.nc_ratio == pytest.approx(np.count_nonzero(nucleus) / area)
    assert found.cell.bbox == (80, 70, 41, 41)
    assert found.cell.centroid == pytest.approx((100, 90), abs=0.1)
    assert found.cell.circularity > 0.9
    assert not found.cell.touches_edge


def test_a_long_cell_is_less_circular() -> None:
    long = np.zeros((224, 224), np.uint8)
    cv2.ellipse(long, (100, 100), (40, 10), 0, 0, 360, 1, cv2.FILLED)
    (found,) = measured(split_by_outline(long > 0), two_level(long > 0, long > 0), view_of(), None)
    a, b = 40, 10
    perimeter = math.pi * (3 * (a + b) - math.sqrt((3 * a + b) * (a + 3 * b)))  # Ramanujan
    assert found.cell.circularity == pytest.approx(4 * math.pi * math.pi * a * b / perimeter**2, abs=0.05)


def test_without_a_pixel_size_there_is_no_area_in_micrometres() -> None:
    cell = discs((100, 100, 12))
    (found,) = measured(split_by_outline(cell), two_level(cell, cell), view_of(pixel_size_um=None), None)
    assert found.cell.area_um2 is None
    assert found.cell.nc_ratio == 1


def test_lengths_are_in_pixels_of_the_frame() -> None:
    view = view_of((896, 896), 0.125)  # four frame pixels to a model pixel
    cell = discs((100, 60, 12))
    (found,) = measured(split_by_outline(cell), two_level(cell, cell), view, 0.125)
    assert found.cell.area_px == pytest.approx(np.count_nonzero(cell) * 16)
    assert found.cell.area_um2 == pytest.approx(np.count_nonzero(cell) * 0.25)
    assert found.cell.centroid == pytest.approx((401.5, 241.5), abs=1)


def test_a_cell_cut_by_the_frame_is_marked_and_has_less_weight() -> None:
    cell = discs((100, 100, 20), (0, 40, 20))
    found = measured(split_by_outline(cell), two_level(cell, cell), view_of(), None)
    inside, cut = sorted(found, key=lambda each: each.cell.touches_edge)
    assert not inside.cell.touches_edge
    assert cut.cell.touches_edge
    assert inside.weight == 1
    assert cut.weight == pytest.approx(EDGE_WEIGHT * min(1, cut.cell.area_px / FULL_WEIGHT_PX))


@settings(deadline=None, max_examples=40)
@given(
    st.integers(40, 500),
    st.integers(40, 500),
    st.one_of(st.none(), st.floats(0.2, 1.0)),
    st.lists(st.tuples(st.integers(0, 499), st.integers(0, 499), st.integers(6, 25)), min_size=1, max_size=8),
)
def test_boxes_contours_and_centres_lie_in_the_frame(
    height: int, width: int, pixel_size_um: float | None, circles: list[tuple[int, int, int]]
) -> None:
    view = view_of((height, width), pixel_size_um)
    cell = discs(*circles, shape=view.pixels.shape[:2])
    for found in measured(split_by_outline(cell), two_level(cell, cell), view, pixel_size_um):
        x, y, box_width, box_height = found.cell.bbox
        assert x >= 0
        assert y >= 0
        assert box_width >= 1
        assert box_height >= 1
        assert x + box_width <= width
        assert y + box_height <= height
        assert (found.cell.contour >= 0).all()
        assert (found.cell.contour < (width, height)).all()
        assert 0 <= found.cell.nc_ratio <= 1
        assert 0 < found.cell.circularity <= 1
        assert 0 < found.weight <= 1


def test_a_cell_in_the_mirrored_border_of_a_small_frame_is_not_counted() -> None:
    view = view_of((100, 100), 0.5)
    cell = discs((20, 20, 12), (112, 112, 12))
    (found,) = measured(split_by_outline(cell), two_level(cell, cell), view, 0.5)
    assert found.cell.centroid == pytest.approx((50, 50), abs=0.5)


def test_the_classifier_sees_the_cells_of_largest_weight_first_and_none_on_the_scale_bar() -> None:
    cell = discs((60, 60, 10), (120, 60, 18), (205, 210, 14))
    view = view_of(pixel_size_um=None)
    found = measured(split_by_outline(cell), two_level(cell, cell), view, None)
    chosen = clear_of_scale_bar(view, found)
    assert [found[i].cell.bbox[0] for i in chosen] == [102, 50]


def test_a_cell_on_the_scale_bar_is_left_out_even_if_it_is_the_only_one() -> None:
    cell = discs((205, 210, 12))
    view = view_of(pixel_size_um=None)
    found = measured(split_by_outline(cell), two_level(cell, cell), view, None)
    assert len(found) == 1
    assert clear_of_scale_bar(view, found) == []


def test_the_gap_that_several_cells_enclose_splits_them() -> None:
    rows, columns = np.mgrid[:96, :96]
    places = [(34, 34), (34, 58), (58, 34), (58, 58)]
    outside = np.min([np.hypot(rows - y, columns - x) for y, x in places], axis=0) - 13.0
    background = np.clip(2.0 * outside, -MAX_LOG_ODDS, MAX_LOG_ODDS).astype(np.float32)
    cell = fill_holes(background < 0)
    assert cell[46, 46]
    for stride, step in ((1, np.s_[:, :]), (2, np.s_[::2, ::2])):
        labels = split_touching_cells(np.ascontiguousarray(cell[step]), background[step], stride)
        assert labels.max() == len(places)
        assert len({int(labels[y // stride, x // stride]) for y, x in places}) == len(places)
        assert (labels > 0)[cell[step]].all()
