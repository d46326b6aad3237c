"""The edge of one pixel on the slide, estimated from the red cells in the picture, with its doubt.

A red cell on a dried smear is 7.2 µm across; what a picture's are in pixels gives its scale.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from smear.findings import RedCellScale
from smear.imaging.red_cells import Circles, find_circles
from smear.imaging.resampling import ModelFrame, content_of

RED_CELL_PX = 14.4  # 7.2 µm at 0.5 µm a pixel; measured: our fields 14.2, IML 14.2, PBC 14.1, Chula 13.7
WINDOW_PX = 192  # of the middle of the picture, 96 µm at model scale: 40 red cells in the median field
MIN_WINDOW_PX = 32
AGREEING = 0.2  # of the logarithm: as far off as a first look may be that needs no second
NEAR = 0.25  # of the logarithm: what is looked at so near to its true scale is measured as well as can be
CONVERGED = 0.12  # of the logarithm: how near to `RED_CELL_PX` the last look must have found its cells
MIN_COVERED = 0.015  # of the window by red cells; our sparsest field 0.02, at four times its scale or more 0.01
MIN_CELLS = 4.0  # effective number; what fewer say is no size
SCALES = (0.5, 2.0, 0.25, 4.0, 0.125, 8.0, 16.0)  # of what was assumed, looked at where the first look does not agree
FINEST = 1.5  # pixels looked at for one of the picture: beyond, a picture shows no more
LOOKS_CLOSER = 3  # times that a look is repeated at the scale it gave
MIN_EVENNESS = 0.6
# Mean difference, in grey levels, of a view at rest. On 20 fields: noise of 4 levels 0.9 to 1.3, 1 % more light 0.9 to
# 1.4; a shift by one pixel 2.6 to 6.3, a zoom by 2 % 3.6 to 8.2, another field 22 to 73.
SAME_VIEW_GREY = 2.0
# Standard error of the logarithm: between people, and of the measurement, on fields of known scale. It grows with the
# weight of circles of other sizes: 0.06 in the best quarter of fields, 0.12 in the worst tenth.
DOUBT, PURE, IMPURE = (0.06, 0.03), 0.75, 0.35
FREE_VOTES, FREE_EVENNESS, FREE_WITHIN = 0.5, 0.7, 0.45  # of a cell that no other covers, of about the mode's size
# Where so many are free, the upper quartile of their diameters varies less than the mode of all (0.04 to 0.05 against
# 0.05 to 0.10): what shrinks a cell, or covers some of it, says nothing there. Our fields 14.3, IML 14.5, Chula 14.1.
MANY_FREE, FREE_QUANTILE = 20, 0.75
_GRID = np.arange(math.log(7.0), math.log(31.0), 0.05)  # diameters in pixels that `find_circles` can see
_COARSE, _FINE = 0.22, 0.16  # widths of the mode, in the logarithm; the diameters found in one field vary by 0.1
_AREA = 2.5  # weight grows with this power of the diameter: small circles are gaps, rims and platelets


@dataclass(frozen=True, slots=True)
class _Look:
    """What one look at the picture found."""

    scale: float  # pixels looked at for one of the picture
    size: float  # logarithm of the red cells' diameter over `RED_CELL_PX`
    cells: float  # effective number of them
    covered: float  # share of the window that they cover, by how much of each is seen
    purity: float  # share of all circles' weight that has this size
    free: int

    @property
    def worth(self) -> float:
        return self.covered * min(1.0, self.cells / 6)


def estimate_pixel_size(
    image: np.ndarray, view: ModelFrame, excluded: np.ndarray, model_pixel_size_um: float
) -> RedCellScale | None:
    """Estimate the pixel size of the RGB uint8 (H, W, 3) frame `image`; None where no red cell is seen.

    `view` is the frame at the scale that was assumed, bool (h, w) `excluded` what in it is no red cell: leukocytes, and
    what lies outside the field of view.
    """
    hidden = np.ascontiguousarray(content_of(excluded, view))
    first = _look(image, hidden, view.scale, content_of(view.pixels, view))
    if first is not None and first.worth >= MIN_COVERED and abs(first.size) <= AGREEING:
        return _size_of(first, view.scale, model_pixel_size_um)
    best = first
    for times in SCALES:
        other = _look(image, hidden, view.scale * times)
        if other is not None and other.worth > (best.worth if best is not None else 0.0):
            best = other
    for _ in range(LOOKS_CLOSER):
        if best is None or abs(best.size) <= CONVERGED / 2:
            break
        best = _look(image, hidden, best.scale * math.exp(-best.size))
    return None if best is None else _size_of(best, view.scale, model_pixel_size_um)


class SteadyScale:
    """Estimates the pixel size in a live stream: once for each view, as the same red cells have the same size.

    Only an estimate that is sure and agrees is remembered. What refuses a field, or says nothing, is looked for anew in
    every frame: it may come from a picture that is not yet in focus.
    """

    def __init__(self) -> None:
        self._found: RedCellScale | None = None
        self._scale = 0.0
        self._looked_at = np.zeros((0, 0), np.uint8)

    def estimate(
        self, image: np.ndarray, view: ModelFrame, excluded: np.ndarray, model_pixel_size_um: float
    ) -> RedCellScale | None:
        """Return `estimate_pixel_size` of the same, or of the earlier frame that showed the same."""
        looked_at = _small(content_of(view.pixels, view))
        if self._found is None or self._scale != view.scale or not _alike(looked_at, self._looked_at):
            self._found = found = estimate_pixel_size(image, view, excluded, model_pixel_size_um)
            self._scale, self._looked_at = view.scale, looked_at
            if found is None or not found.sure or not _holds(found, model_pixel_size_um * view.scale):
                self._found = None
            return found
        return self._found


def _holds(found: RedCellScale, used_um: float) -> bool:
    low, high = found.interval_um
    return low <= used_um <= high


def _small(pixels: np.ndarray) -> np.ndarray:
    """Return the green channel of what is looked at, uint8, a quarter as large each way."""
    rows, columns = (_middle(side, WINDOW_PX) for side in pixels.shape[:2])
    return np.asarray(cv2.resize(pixels[rows, columns, 1], None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA))


def _alike(first: np.ndarray, second: np.ndarray) -> bool:
    return first.shape == second.shape and cv2.norm(first, second, cv2.NORM_L1) <= SAME_VIEW_GREY * first.size


def _size_of(look: _Look, scale: float, model_pixel_size_um: float) -> RedCellScale:
    um = model_pixel_size_um * look.scale * math.exp(-look.size)
    sure = look.covered >= MIN_COVERED and look.cells >= MIN_CELLS
    sure = sure and abs(look.size) <= (AGREEING if look.scale == scale else CONVERGED)
    return RedCellScale(um, math.hypot(*DOUBT, IMPURE * max(0.0, PURE - look.purity)), look.free, sure)


def _look(image: np.ndarray, hidden: np.ndarray, scale: float, scaled: np.ndarray | None = None) -> _Look | None:
    """Measure the red cells in the middle of `image` at `scale`; None where none are seen.

    bool (h, w) `hidden` covers all of the image, at any scale; `scaled` is the image at `scale`, where known.
    """
    shape = image.shape[:2] if scaled is None else scaled.shape[:2]
    zoom = scale if scaled is None else 1.0
    if zoom > FINEST or min(shape) * zoom < MIN_WINDOW_PX:
        return None
    rows, columns = (_middle(side, WINDOW_PX / zoom) for side in shape)
    green = cv2.extractChannel((image if scaled is None else scaled)[rows, columns], 1)
    size = round(green.shape[1] * zoom), round(green.shape[0] * zoom)
    if size != green.shape[::-1]:
        green = cv2.resize(green, size, interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR)
    covered = _part(hidden, rows, columns, shape)
    if covered.shape[::-1] != size:
        covered = np.asarray(cv2.resize(covered.view(np.uint8), size, interpolation=cv2.INTER_NEAREST)).view(bool)
    area = covered.size - cv2.countNonZero(covered.view(np.uint8))
    return _mode(find_circles(np.asarray(green, np.uint8), covered), scale, float(area))


def _quantile(values: np.ndarray, share: float) -> float:
    """Return `np.quantile` of float32 (n,), in a tenth of its time."""
    ordered, place = np.sort(values), share * (len(values) - 1)
    low, high = ordered[int(place)], ordered[math.ceil(place)]
    beyond = place - int(place)
    between = high - (high - low) * (1 - beyond) if beyond >= 0.5 else low + (high - low) * beyond
    return float(between)


def _middle(side: int, length: float) -> slice:
    start = max(0, int((side - length) / 2))
    return slice(start, min(side, math.ceil(start + length)))


def _part(hidden: np.ndarray, rows: slice, columns: slice, shape: tuple[int, ...]) -> np.ndarray:
    """Return what of `hidden` lies in this part of a picture of `shape`."""
    if hidden.shape == shape:
        return np.ascontiguousarray(hidden[rows, columns])
    down, across = (mask / side for mask, side in zip(hidden.shape, shape, strict=True))
    top, left = int(rows.start * down), int(columns.start * across)
    bottom, right = max(top + 1, int(rows.stop * down)), max(left + 1, int(columns.stop * across))
    return np.ascontiguousarray(hidden[top:bottom, left:right])


def _mode(circles: Circles, scale: float, area: float) -> _Look | None:
    """Return the size that most red cells have: the mode of the circles' diameters, each by its weight."""
    kept = circles.evenness >= MIN_EVENNESS
    if np.count_nonzero(kept) < 3:
        return None
    diameters, votes, evenness = (each[kept] for each in (circles.diameters, circles.votes, circles.evenness))
    logs = np.log(diameters)
    weight = evenness**4 * (diameters / RED_CELL_PX) ** _AREA
    mode = float(_GRID[np.argmax(np.exp(-0.5 * ((_GRID[:, np.newaxis] - logs) / _COARSE) ** 2) @ weight)])
    for _ in range(2):
        near = np.exp(-0.5 * ((logs - mode) / _FINE) ** 2)
        mode = float((weight * near) @ logs / (weight @ near))
    near = np.exp(-0.5 * ((logs - mode) / _FINE) ** 2)
    of_size = weight * near
    size = mode - math.log(RED_CELL_PX)
    at = math.log(RED_CELL_PX) if abs(size) < NEAR else mode
    free = diameters[(votes > FREE_VOTES) & (evenness > FREE_EVENNESS) & (np.abs(logs - at) < FREE_WITHIN)]
    if len(free) >= MANY_FREE and abs(size) < NEAR:
        size = math.log(_quantile(free, FREE_QUANTILE) / RED_CELL_PX)
    return _Look(
        scale=scale,
        size=size,
        cells=float(of_size.sum() ** 2 / (of_size @ of_size)),
        covered=float((evenness * votes * near) @ (math.pi / 4 * diameters**2)) / max(area, 1.0),
        purity=float(of_size.sum() / weight.sum()),
        free=len(free),
    )
