"""From what a classifier says of each cell to what may be said of the field; used by training and device alike."""

from dataclasses import dataclass

import numpy as np

from smear.classes import LABELS

CLASSES = len(LABELS)


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
    weights = say * (1.0 - other_share(logits)) + 1e-6
    return np.asarray(np.average(_log_softmax(logits[:, :CLASSES]), axis=0, weights=weights))


def other_share(logits: np.ndarray) -> np.ndarray:
    """Return float (n,): each cell's probability of being none of the four classes' cells; 0 without that output."""
    if logits.shape[1] == CLASSES:
        return np.zeros(len(logits))
    return np.asarray(np.exp(_log_softmax(logits))[:, CLASSES])


def strangeness(logits: np.ndarray, say: np.ndarray) -> float:
    """Return the share of the cells' say that goes to "other", 0 to 1: the out-of-distribution score of a field."""
    return float(np.average(other_share(logits), weights=say + 1e-6))


def judge(logits: np.ndarray, say: np.ndarray, temperature: float) -> Verdict:
    """Pool the logits of one field's cells and calibrate them with `temperature`."""
    score = strangeness(logits, say) if logits.shape[1] > CLASSES else None
    return Verdict(
        probabilities=np.exp(_log_softmax(pool(logits, say) / temperature)),
        of_cells=np.exp(_log_softmax(logits[:, :CLASSES])),
        ood_score=score,
    )


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))
