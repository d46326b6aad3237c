"""Focus and light: which way the hand should turn."""

import math

import pytest

from device.screen.meters import WINDOW, FocusTrend, light_advice
from smear.findings import Quality


@pytest.mark.parametrize(
    ("values", "advice"),
    [
        ((), "turn to compare"),
        ((0.2, 0.4), "sharper: go on"),
        ((0.2, 0.4, 0.3), "softer: turn back"),
        ((0.2, 0.4, 0.3, 0.3), "softer: turn back"),
        ((0.2, 0.4, 0.4), "sharpest so far"),
    ],
)
def test_the_focus_meter_says_which_way(values: tuple[float, ...], advice: str) -> None:
    assert FocusTrend(values).advice == advice


def test_the_best_focus_is_forgotten_after_a_while_and_no_number_that_is_none_is_kept() -> None:
    trend = FocusTrend((5.0,)).add(math.nan)
    assert trend.values == (5.0,)
    for _ in range(WINDOW):
        trend = trend.add(1.0)
    assert (trend.share, len(trend.values)) == (1.0, WINDOW)


@pytest.mark.parametrize(
    ("brightness", "clipped", "advice"),
    [(0.5, 0.0, "raise the lamp"), (0.99, 0.3, "good"), (1.0, 0.5, "lower the lamp"), (math.nan, 0.0, "not measured")],
)
def test_the_light_meter_says_which_way(brightness: float, clipped: float, advice: str) -> None:
    assert light_advice(Quality(1, clipped, brightness, 0.1)) == advice
