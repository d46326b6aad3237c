"""What travels along the pipeline refuses what it cannot mean."""

import dataclasses

import numpy as np
import pytest

from smear.errors import ImageError
from smear.findings import BACKGROUND, CYTOPLASM, NUCLEUS, CellMask, Frame, require_rgb


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 1), np.uint8),
        np.zeros((8, 8, 3), np.float32),
        np.zeros((8, 8, 3), np.uint16),
        np.zeros((0, 8, 3), np.uint8),
        np.zeros((1, 8, 8, 3), np.uint8),
    ],
)
def test_a_frame_is_rgb_uint8_or_nothing(image: np.ndarray) -> None:
    with pytest.raises(ImageError, match=r"must be RGB uint8 \(H, W, 3\)"):
        Frame(image, "somewhere")


def test_any_size_of_rgb_will_do() -> None:
    require_rgb(np.zeros((1, 1, 3), np.uint8))
    require_rgb(np.zeros((3, 5000, 3), np.uint8))


def test_a_frame_cannot_be_changed_behind_ones_back() -> None:
    frame = Frame(np.zeros((8, 8, 3), np.uint8), "somewhere")
    with pytest.raises(dataclasses.FrozenInstanceError):
        frame.source = "elsewhere"  # type: ignore[misc]


def test_a_nucleus_is_part_of_its_cell() -> None:
    mask = CellMask(np.array([[BACKGROUND, CYTOPLASM, NUCLEUS]], np.uint8))
    assert mask.cell.tolist() == [[False, True, True]]
    assert mask.nucleus.tolist() == [[False, False, True]]
