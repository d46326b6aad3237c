from dataclasses import replace

import cv2
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from device.exports.outlines import BOX, CONTOUR, cell_pixels
from device.store import Store
from tests.device.findings import finding, frame

blobs = arrays.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


@pytest.fixture(scope="module")
def field_and_cell(tmp_path_factory):
    with Store.record(tmp_path_factory.mktemp("store")) as store:
        field = store.field(store.add_field(store.start_slide("s"), frame(), finding()))
        return field, store.cells(field.id)[0]


@given(blob=blobs)
def test_a_polygon_is_simple_and_holds_exactly_the_pixels_of_its_cell(blob, field_and_cell):
    field, cell = field_and_cell
    drawn = np.pad(blob, 3).view(np.uint8)
    contours, _ = cv2.findContours(drawn, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    for contour in contours:
        pixels = cell_pixels(replace(cell, contour=contour[:, 0]), field)
        polygon = shapely.Polygon(pixels.polygon())
        assert polygon.is_valid
        assert polygon.exterior.is_ccw  # as coordinates; on the picture, where y points down, it turns right
        assert polygon.area == pixels.area
        assert polygon.bounds == (pixels.left, pixels.top, *np.add((pixels.left, pixels.top), pixels.box[2:]))
        assert all(shapely.contains_xy(polygon, *(contour[:, 0] + 0.5).T))
        assert pixels.source == CONTOUR


def test_what_the_disk_has_damaged_stays_inside_the_field(field_and_cell):
    field, cell = field_and_cell
    far = np.array([[0, 0], [2_000_000_000, 5], [3, 9]], np.int32)
    for box in ((-5, 3, 10**9, 2), (10**12, 10**12, -4, 0), (0, 0, 0, 0)):
        pixels = cell_pixels(replace(cell, contour=far, bbox=box), field)
        left, top, width, height = pixels.box
        assert pixels.source == BOX
        assert 0 <= left < left + width <= field.width
        assert 0 <= top < top + height <= field.height
