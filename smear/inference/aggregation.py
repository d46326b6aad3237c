"""Aggregates a classifier's answers for single cells into one for the field; training and the device share it."""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from smear.classes import LABELS
from smear.inference.detection import Familiarity

CLASSES = len(LABELS)
MAP_STRIDE = 16  # pixels of a field to one place of the map of a classifier that is shown all cells at once


@dataclass(frozen=True, eq=False)
class FieldOpinion:
    """The classifier's answer for one field, before the quality gate decides whether it may become a label."""

    probabilities: np.ndarray  # float (4,), calibrated, in the order of LABELS
    cell_probabilities: np.ndarray  # float (n, 4), each cell's own, not calibrated
    ood_score: float | None  # of the detector, or else share of the weight assigned to "other"; None without either
    features: np.ndarray | None = None  # float (n, d), of each cell; None where the classifier gives none
    familiarity: Familiarity | None = None  # None: the bundle has no detector

    @cached_property
    def finite(self) -> bool:
        """Whether every number is finite."""
        arrays = [each for each in (self.probabilities, self.cell_probabilities, self.features) if each is not None]
        return math.isfinite(self.ood_score or 0.0) and all(bool(np.isfinite(each).all()) for each in arrays)

    def judged(self, familiarity: Familiarity) -> "FieldOpinion":
        """Return the same opinion with what the detector found."""
        return replace(self, familiarity=familiarity, ood_score=familiarity.score)


def pool(logits: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return float (4,): the mean log-probability of each class over the cells of a field.

    `logits` is float (n, 4), or (n, 5) with "other" last; `weights` float (n,), one per cell. A cell is
    weighted down by its probability of being something else.
    """
    return _pool(logits, weights, other_probability(logits))


def _pool(logits: np.ndarray, weights: np.ndarray, other: np.ndarray) -> np.ndarray:
    effective = weights * (1.0 - other) + 1e-6
    return np.asarray(effective @ _log_softmax(logits[:, :CLASSES]) / effective.sum())


def other_probability(logits: np.ndarray) -> np.ndarray:
    """Return float (n,): each cell's probability of being none of the four classes' cells; 0 without that output."""
    if logits.shape[1] == CLASSES:
        return np.zeros(len(logits))
    return np.asarray(np.exp(_log_softmax(logits)[:, CLASSES]))


def read_maps(maps: np.ndarray, which: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return float (n, c): the logits at each of the cells' `centres`, float (n, 2) of x, y, bilinearly.

    `maps` is a classifier's answers, float (m, h, w, c), one place for each `MAP_STRIDE` pixels; int (n,) `which` names
    the map of each cell.
    """
    last = np.array([maps.shape[2] - 1, maps.shape[1] - 1])
    places = np.minimum(np.maximum(centres / MAP_STRIDE - 0.5, 0), last)
    left, top = np.minimum(places.astype(int), last - 1).T
    right, down = (places - np.stack([left, top], axis=1)).T[..., np.newaxis]
    above = maps[which, top, left] * (1 - right) + maps[which, top, left + 1] * right
    below = maps[which, top + 1, left] * (1 - right) + maps[which, top + 1, left + 1] * right
    return np.asarray(above * (1 - down) + below * down)


def out_of_distribution_score(logits: np.ndarray, weights: np.ndarray) -> float:
    """Return the weighted mean probability of "other" over the cells, 0 to 1."""
    return _weighted_mean(other_probability(logits), weights)


def _weighted_mean(values: np.ndarray, weights: np.ndarray) -> float:
    positive = weights + 1e-6  # cells of no weight alone still have a mean
    return float(positive @ values / positive.sum())


def aggregate(
    logits: np.ndarray, weights: np.ndarray, temperature: float, cell_logits: np.ndarray | None = None
) -> FieldOpinion:
    """Pool the logits of one field's cells and calibrate them with `temperature`.

    `logits` is float (n, 4 or 5), `weights` float (n,). `cell_logits`, float (m, 4 or 5), are those of the single cells
    where what is pooled are tiles or the whole field.
    """
    other = other_probability(logits)
    return FieldOpinion(
        probabilities=np.exp(_log_softmax(_pool(logits, weights, other) / temperature)),
        cell_probabilities=class_probabilities(logits if cell_logits is None else cell_logits),
        ood_score=_weighted_mean(other, weights) if logits.shape[1] > CLASSES else None,
    )


def class_probabilities(logits: np.ndarray) -> np.ndarray:
    """Return float (n, 4): the probabilities of the four classes in float (n, 4 or 5), not calibrated."""
    return np.asarray(np.exp(_log_softmax(logits[:, :CLASSES])))


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))
