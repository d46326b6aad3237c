"""From what a classifier says of each cell to what may be said of the field; used by training and device alike."""

from dataclasses import dataclass

import numpy as np

from smear.classes import LABELS

CLASSES = len(LABELS)
MAP_STRIDE = 16  # pixels of a field to one place of the map of a classifier that is shown all cells at once


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """The pooled opinion on one field."""

    probabilities: np.ndarray  # float (4,), calibrated, in the order of LABELS
    of_cells: np.ndarray  # float (n, 4), each cell's own, not calibrated
    ood_score: float | None  # share of the cells' say that went to "other", 0 to 1; None without such an output


def pool(logits: np.ndarray, say: np.ndarray) -> np.ndarray:
    """Return float (4,): the mean log-probability of each class over the cells of a field.

    `logits` is float (n, 4), or (n, 5) with "other" last; `say` float (n,), the weight of each cell. A cell
    taken for something else loses that share of its say.
    """
    return _pool(logits, say, other_share(logits))


def _pool(logits: np.ndarray, say: np.ndarray, other: np.ndarray) -> np.ndarray:
    weights = say * (1.0 - other) + 1e-6
    return np.asarray(weights @ _log_softmax(logits[:, :CLASSES]) / weights.sum())


def other_share(logits: np.ndarray) -> np.ndarray:
    """Return float (n,): each cell's probability of being none of the four classes' cells; 0 without that output."""
    if logits.shape[1] == CLASSES:
        return np.zeros(len(logits))
    return np.asarray(np.exp(_log_softmax(logits)[:, CLASSES]))


def read_map(logits: np.ndarray, centres: np.ndarray, stride: float = MAP_STRIDE) -> np.ndarray:
    """Return float (n, c): the opinion at each of the cells' `centres`, float (n, 2) of x, y, bilinearly.

    `logits` is a classifier's map, float (h, w, c), one place for each `stride` pixels.
    """
    return read_maps(logits[np.newaxis], np.zeros(len(centres), int), centres, stride)


def read_maps(maps: np.ndarray, which: np.ndarray, centres: np.ndarray, stride: float = MAP_STRIDE) -> np.ndarray:
    """Return the same from several maps, float (m, h, w, c): for each cell from the one that int (n,) `which` names."""
    last = np.array([maps.shape[2] - 1, maps.shape[1] - 1])
    places = np.minimum(np.maximum(centres / stride - 0.5, 0), last)
    left, top = np.minimum(places.astype(int), last - 1).T
    right, down = (places - np.stack([left, top], axis=1)).T[..., np.newaxis]
    above = maps[which, top, left] * (1 - right) + maps[which, top, left + 1] * right
    below = maps[which, top + 1, left] * (1 - right) + maps[which, top + 1, left + 1] * right
    return np.asarray(above * (1 - down) + below * down)


def strangeness(logits: np.ndarray, say: np.ndarray) -> float:
    """Return the share of the cells' say that goes to "other", 0 to 1: the out-of-distribution score of a field."""
    return _strangeness(say, other_share(logits))


def _strangeness(say: np.ndarray, other: np.ndarray) -> float:
    weights = say + 1e-6
    return float(weights @ other / weights.sum())


def judge(logits: np.ndarray, say: np.ndarray, temperature: float, of_cells: np.ndarray | None = None) -> Verdict:
    """Pool the logits of one field's cells and calibrate them with `temperature`.

    `of_cells` are logits, float (m, 4 or 5), where what is pooled are not the cells themselves.
    """
    other = other_share(logits)
    return Verdict(
        probabilities=np.exp(_log_softmax(_pool(logits, say, other) / temperature)),
        of_cells=opinions(logits if of_cells is None else of_cells),
        ood_score=_strangeness(say, other) if logits.shape[1] > CLASSES else None,
    )


def opinions(logits: np.ndarray) -> np.ndarray:
    """Return float (n, 4): the probabilities of the four classes in float (n, 4 or 5), not calibrated."""
    return np.asarray(np.exp(_log_softmax(logits[:, :CLASSES])))


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))
