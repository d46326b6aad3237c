"""How far the stage has moved since a field was examined: outlines are drawn where their cells are now, or not at all.

Two small whitened greys are compared. Phase correlation (Kuglin and Hines 1975) proposes a shift, and the step from
one picture to the next another; the normalised cross-correlation of the overlap decides between them, to a fraction of
a pixel, and says how alike the two are.
"""

from collections import deque
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

WIDTH = 160  # pixels of the longer edge that is compared: a leukocyte is about 10 wide
ALIKE = 0.60  # correlation of the overlap from which outlines are sure to lie on their cells
LEAST_ALIKE = 0.40  # below, it may be another field
LEAST_OVERLAP = 0.25  # of the field: with less there are too few cells to be sure by
HALF_MOVED = 0.5  # of the field: less overlap than this is another field to whoever reads the result
KEPT_STEPS = 120  # pictures: four seconds at 30 a second, longer than an inference takes
_WHITEN = WIDTH // 8 + 1  # two leukocytes: keeps cells, loses vignette and stain gradients
_NOISE_GREY = 2.0  # grey levels: the camera's noise on blank glass is not blown up to a picture
_SEARCH = 3  # pixels around a proposal

Grey = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Shift:
    """Where the examined field lies in a later picture."""

    x: float  # shares of the picture's width and height; positive: it has moved right and down
    y: float
    alike: float  # correlation of the overlap, -1 to 1

    @property
    def overlap(self) -> float:
        """The share of the examined field that is in the picture."""
        return max(0.0, 1 - abs(self.x)) * max(0.0, 1 - abs(self.y))


UNMOVED = Shift(0.0, 0.0, 1.0)


class StageTracker:
    """Follows one examined field through the pictures that come after it was taken."""

    def __init__(self) -> None:
        self._examined: Grey | None = None
        self._before: Grey | None = None
        self._guess = np.zeros(2)  # where the examined field should be now, in pixels of a grey
        self._position = np.zeros(2)  # of the stage, as the steps add up
        self._steps: deque[tuple[float, NDArray[np.float64]]] = deque(maxlen=KEPT_STEPS)
        self._window: Grey = np.empty((0, 0), np.float32)

    def examined(self, grey: Grey, taken_s: float) -> None:
        """Follow another field: `grey` of `small_grey`, of a picture that was taken at `taken_s`."""
        self._examined = grey
        nearest = min(self._steps, key=lambda step: abs(step[0] - taken_s), default=(0.0, self._position))
        self._guess = self._position - nearest[1]

    def follow(self, grey: Grey, taken_s: float) -> Shift | None:
        """Return how far the field has moved in the next picture; None: that shows another place, or nothing clear."""
        before, self._before = self._before, grey
        found = self._match(grey, self._guess)
        step = np.zeros(2)
        if found.alike < ALIKE and before is not None and before.shape == grey.shape:
            step = self._correlated(before, grey)
            found = max(found, self._match(grey, self._guess + step), key=_alike)
        if found.alike < ALIKE and self._examined is not None and self._examined.shape == grey.shape:
            found = max(found, self._match(grey, self._correlated(self._examined, grey)), key=_alike)
        if found.alike >= LEAST_ALIKE:
            step = found.shift - self._guess
        self._guess, self._position = self._guess + step, self._position + step
        self._steps.append((taken_s, self._position))
        if found.alike < LEAST_ALIKE:
            return None
        height, width = grey.shape
        return Shift(float(found.shift[0]) / width, float(found.shift[1]) / height, found.alike)

    def _match(self, grey: Grey, guess: NDArray[np.float64]) -> "_Match":
        field = self._examined
        return _NONE if field is None or field.shape != grey.shape else _matched(field, grey, guess)

    def _correlated(self, one: Grey, other: Grey) -> NDArray[np.float64]:
        if self._window.shape != one.shape:
            self._window = np.asarray(cv2.createHanningWindow(one.shape[::-1], cv2.CV_32F), np.float32)
        # Given a window, OpenCV multiplies the caller's own pictures by it. Of empty ones the shift is not a number.
        return np.nan_to_num(cv2.phaseCorrelate(one * self._window, other * self._window)[0])


def small_grey(image: NDArray[np.uint8]) -> Grey:
    """Return what is compared of RGB uint8 (H, W, 3): float32, `WIDTH` long, without light and contrast."""
    scale = WIDTH / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    grey = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)
    values = grey.astype(np.float32)
    values -= cv2.blur(values, (_WHITEN, _WHITEN))
    spread = cv2.sqrt(cv2.blur(values * values, (_WHITEN, _WHITEN)))
    return np.asarray(values / (spread + _NOISE_GREY), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Match:
    shift: NDArray[np.float64]  # x, y in pixels of a grey
    alike: float


_NONE = _Match(np.zeros(2), -1.0)


def _alike(match: _Match) -> float:
    return match.alike


def _matched(field: Grey, grey: Grey, guess: NDArray[np.float64]) -> _Match:
    """Return the best shift within `_SEARCH` pixels of `guess`; none where that is at the end of what was searched."""
    x, y = (int(part) for part in np.rint(guess))
    height, width = field.shape
    if max(0, width - abs(x)) * max(0, height - abs(y)) < LEAST_OVERLAP * field.size:
        return _NONE
    # The overlap without its edge in the later picture, and the whole overlap in the examined one.
    left, top, right, bottom = max(x, 0) + _SEARCH, max(y, 0) + _SEARCH, min(x, 0) - _SEARCH, min(y, 0) - _SEARCH
    inner = grey[top : height + bottom, left : width + right]
    outer = field[max(-y, 0) : height - max(y, 0), max(-x, 0) : width - max(x, 0)]
    surface = cv2.matchTemplate(outer, inner, cv2.TM_CCOEFF_NORMED)
    row, column = divmod(int(surface.argmax()), surface.shape[1])
    if not (0 < row < 2 * _SEARCH and 0 < column < 2 * _SEARCH):
        return _NONE
    at = np.array((column + _vertex(surface[row, :], column), row + _vertex(surface[:, column], row)))
    return _Match(np.array((x, y)) - (at - _SEARCH), float(surface[row, column]))


def _vertex(values: NDArray[Any], at: int) -> float:
    """Return how far the vertex of the parabola through the peak and its neighbours lies from it, -0.5 to 0.5."""
    before, peak, after = (float(value) for value in values[at - 1 : at + 2])
    bend = before - 2 * peak + after
    return 0.5 * (before - after) / bend if bend < 0 else 0.0
