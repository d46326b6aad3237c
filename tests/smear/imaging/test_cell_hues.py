"""Hues of a cell are those of its own pixels."""

import numpy as np

from smear.findings import CYTOPLASM, NUCLEUS, Cell, CellMask
from smear.imaging.cell_hues import Hues, cell_hues

SQUARE = np.array([[2, 2], [9, 2], [9, 9], [2, 9]], np.int32)


def test_nucleus_and_cytoplasm_have_their_own_hue_and_a_neighbour_does_not_count():
    image = np.full((20, 20, 3), (0, 255, 0), np.uint8)  # a green neighbour all round
    values = np.full((20, 20), CYTOPLASM, np.uint8)
    image[2:10, 2:10], image[4:8, 4:8], values[4:8, 4:8] = (255, 0, 0), (0, 0, 255), NUCLEUS
    cell = Cell((2, 2, 8, 8), (5.5, 5.5), 64.0, None, 0.25, 0.8, SQUARE, False)
    assert cell_hues(image, CellMask(values), [cell]) == [Hues(nucleus=240.0, cytoplasm=0.0)]


def test_a_cell_without_nucleus_or_colour_has_no_hue():
    image, values = np.full((20, 20, 3), 128, np.uint8), np.full((20, 20), CYTOPLASM, np.uint8)
    cell = Cell((2, 2, 8, 8), (5.5, 5.5), 64.0, None, 0.0, 0.8, SQUARE, False)
    assert cell_hues(image, CellMask(values), [cell]) == [Hues(None, None)]
