"""Occlusion maps: a patch of glass hides each place of a field in turn, and the change of the answer is recorded."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from smear.classes import LABELS
from smear.findings import Finding
from smear.imaging.stain_normalization import background_colour
from smear.inference.evaluator import MIN_PROBABILITY, Evaluator

PATCH_PX, STRIDE_PX = 32, 16  # a blast is 24 px across: a patch hides one cell, seldom two


@dataclass(frozen=True, slots=True)
class Occlusion:
    """The map of one field."""

    file: str
    truth: str
    top: str  # class whose probability is followed
    group: str
    change: tuple[tuple[float, ...], ...]  # |change of log odds| by patch, rows from the top
    on_cells: tuple[tuple[bool, ...], ...]  # whether the patch touches a cell

    @property
    def share_on_cells(self) -> float:
        """Share of the whole change that patches on cells cause; 1 where nothing changed at all."""
        change = np.array(self.change)
        return float(change[np.array(self.on_cells)].sum() / change.sum()) if change.sum() > 0 else 1.0

    @property
    def patches_on_cells(self) -> float:
        """Share of patches that touch a cell: what `share_on_cells` would be if every place mattered equally."""
        return float(np.mean(self.on_cells))


def occlude(evaluator: Evaluator, image: NDArray[np.uint8], file: str, truth: str, group: str) -> Occlusion | None:
    """Move a patch of the field's own glass over RGB uint8 (H, W, 3); None where no cell was found.

    The whole pipeline answers each time: the segmenter does not see a hidden cell either, as on a slide without it.
    """
    found = evaluator.examine(image)
    if found.top is None:
        return None
    cell = found.mask.cell
    glass = np.rint(background_colour(image, cell)).astype(np.uint8)
    follow = LABELS.index(found.top)
    before = _log_odds(found, follow)
    ys, xs = (range(0, length - PATCH_PX + 1, STRIDE_PX) for length in image.shape[:2])
    change, on_cells = [], []
    for y in ys:
        changes, touches = [], []
        for x in xs:
            window = np.s_[y : y + PATCH_PX, x : x + PATCH_PX]
            hidden = image.copy()
            hidden[window] = glass
            changes.append(abs(before - _log_odds(evaluator.examine(hidden), follow)))
            touches.append(bool(cell[window].any()))
        change.append(tuple(changes))
        on_cells.append(tuple(touches))
    return Occlusion(file, truth, found.top, group, tuple(change), tuple(on_cells))


def _log_odds(finding: Finding, follow: int) -> float:
    """Return the log odds of one class; of equal probabilities where no cell is left."""
    p = finding.probabilities[LABELS[follow]] if finding.probabilities else 1.0 / len(LABELS)
    p = min(max(p, MIN_PROBABILITY), 1.0 - 1e-6)
    return float(np.log(p / (1.0 - p)))


def overlay(image: NDArray[np.uint8], change: NDArray[Any]) -> NDArray[np.uint8]:
    """Return `image` in grey under float (rows, columns) `change` in red, strongest where it is largest."""
    heat = cv2.resize(change.astype(np.float32), image.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    heat = np.clip(heat / max(float(heat.max()), 1e-6), 0.0, 1.0)[..., np.newaxis]
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    red = np.array([220.0, 20.0, 20.0])
    return np.asarray(np.rint(grey * (1.0 - 0.75 * heat) + red * 0.75 * heat), np.uint8)
