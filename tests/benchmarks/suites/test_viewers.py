"""Pictures that are timed to a real browser, from a camera to a page."""

import pytest

from benchmarks.schema import Ratio
from benchmarks.suites.viewers import Viewers, measure_viewers
from device.slide_report.printing import find_browser
from tests.benchmarks.results import latency


def test_pictures_are_timed_from_the_camera_to_two_browsers(tmp_path):
    if find_browser() is None:
        pytest.skip("no Chromium on this machine: apt install chromium")
    found = measure_viewers(3, 1, tmp_path, lambda text, share: None)
    assert found.latency.n > 4
    assert 0 < found.latency.p50_ms <= found.p95_ms
    assert 0 < found.pictures_per_s <= 6  # the camera gives five
    assert found.idle is None  # one round is no figure


def test_a_limit_that_is_exceeded_is_named():
    slow = Viewers(latency(300.0), 401, 5, 91, Ratio(to="none", value=1.06, low=1, high=1.1, rounds=8))
    assert [each.split(" ", 2)[1] for each in slow.faults()] == ["picture", "web", "field"]
    assert Viewers(latency(300.0), 400, 5, 90, None).faults() == []
