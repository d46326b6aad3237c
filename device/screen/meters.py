"""What guides the hand on the fine focus and on the lamp: how far, and which way."""

import math
from dataclasses import dataclass, replace

from smear.findings import Quality

WINDOW = 15  # results: about as long as a hand takes to turn through the sharpest point and back
CLEAR_CHANGE = 0.05  # relative: smaller ones are not taken for a direction
NEAR_BEST = 0.95
# Of 47 fields of the data set the background is 0.98 to 1.0 bright, and of all 0.81 at least; 0.39 of the cells' pixels
# are clipped at most. Fields are refused below 0.35 and above 0.6: a hand should know before.
LEAST_BRIGHTNESS, MOST_CLIPPED = 0.8, 0.4


@dataclass(frozen=True, slots=True)
class FocusTrend:
    """The sharpness of the last results, by which a hand finds the sharpest point: the value alone has no direction."""

    values: tuple[float, ...] = ()

    def add(self, focus: float) -> "FocusTrend":
        """Return the trend with one more result; a value that is not finite is left out."""
        return replace(self, values=(*self.values, focus)[-WINDOW:]) if math.isfinite(focus) else self

    @property
    def share(self) -> float:
        """The newest value as a share of the best in the window, 0 to 1."""
        best = max(self.values, default=0.0)
        return self.values[-1] / best if best > 0 else 0.0

    @property
    def advice(self) -> str:
        """What to do with the fine focus."""
        if len(self.values) < 2:
            return "turn to compare"
        before, now = self.values[-2:]
        if now > before * (1 + CLEAR_CHANGE):
            return "sharper: go on"
        if now < before * (1 - CLEAR_CHANGE) or self.share < NEAR_BEST:
            return "softer: turn back"
        return "sharpest so far"


def light_advice(quality: Quality) -> str:
    """Return what to do with the lamp."""
    if not (math.isfinite(quality.brightness) and math.isfinite(quality.clipped)):
        return "not measured"
    if quality.brightness < LEAST_BRIGHTNESS:
        return "raise the lamp"
    return "lower the lamp" if quality.clipped > MOST_CLIPPED else "good"
