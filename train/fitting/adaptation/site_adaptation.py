"""Fitting the last layer of a bundle's classifier to fields of another site, without forgetting the old one.

The last layer is linear in the mean features of a field, so this is a multinomial logistic regression that begins at
the weights that ship. Two terms hold it there: a quadratic penalty in the whitened features of the old site, and
replay, the divergence from the old answers on features drawn from the statistics of the old site.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.model_selection import StratifiedGroupKFold

from smear.classes import LABELS
from train.networks.tflite_head import Head

CLASSES = len(LABELS)
STRENGTHS = (0.5, 1.0, 3.0)  # of the penalty, chosen by cross-validation; weaker ones forget: see decision 19
FOLDS = 4
REPLAY = 1.0  # weight of the old site: as much as all fields of the new one
REPLAYED = 200  # features of each class that are drawn from the statistics
SHRINKAGE = 0.05  # of the covariance towards its mean variance: it has more dimensions than some sites have fields


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """What is kept of the features of a site: the mean of each class, and the covariance about these means."""

    means: NDArray[np.float64]  # (4, d)
    covariance: NDArray[np.float64]  # (d, d)

    def sample(self, rng: np.random.Generator, count: int = REPLAYED) -> NDArray[np.float64]:
        """Return float (4 * count, d): features of each class as they may have been; none is negative."""
        drawn = [rng.multivariate_normal(mean, self.covariance, count, method="cholesky") for mean in self.means]
        return np.maximum(np.concatenate(drawn), 0.0)  # every activation is a ReLU


def statistics_of(features: NDArray[Any], truth: NDArray[Any]) -> Statistics:
    """Return the statistics of float (n, d) `features` of fields of the classes int (n,) `truth`; each must occur."""
    means = np.stack([features[truth == label].mean(axis=0) for label in range(CLASSES)])
    about = features - means[truth]
    covariance = about.T @ about / max(1, len(features) - CLASSES)
    level = max(float(np.trace(covariance)) / len(covariance), 1e-6)
    return Statistics(means, (1 - SHRINKAGE) * covariance + SHRINKAGE * level * np.eye(len(covariance)))


def class_log_probabilities(head: Head, features: NDArray[Any]) -> NDArray[np.float64]:
    """Return float (n, 4), before any temperature; the output for "other" is left out, as on the device."""
    return np.asarray(log_softmax(head.logits(features)[:, :CLASSES], axis=1))


def fit_head(
    head: Head, features: NDArray[Any], truth: NDArray[Any], old: Statistics, strength: float, seed: int = 0
) -> Head:
    """Return `head` with the rows of the four classes fitted to float (n, d) `features` of classes int (n,) `truth`.

    Classes count the same, however many fields each has. The row of "other" stays as it is.
    """
    root = np.linalg.cholesky(old.covariance)
    centre = old.means.mean(axis=0)
    rows, begun = _whitened(features, centre, root), head.logits(features)[:, :CLASSES]
    replayed = old.sample(np.random.default_rng(seed))
    old_rows, old_logits = _whitened(replayed, centre, root), head.logits(replayed)[:, :CLASSES]
    old_answers = np.exp(log_softmax(old_logits, axis=1))
    counts = np.bincount(truth, minlength=CLASSES)
    weight = 1.0 / (counts[truth] * np.count_nonzero(counts))
    wanted = np.eye(CLASSES)[truth]

    def loss(flat: NDArray[Any]) -> tuple[float, NDArray[np.float64]]:
        change = flat.reshape(CLASSES, -1)
        new, replay = (
            log_softmax(begun + rows @ change.T, axis=1),
            log_softmax(old_logits + old_rows @ change.T, axis=1),
        )
        value = -float((weight[:, np.newaxis] * wanted * new).sum())
        value -= REPLAY * float((old_answers * replay).sum() / len(replay))
        value += 0.5 * strength * float((change**2).sum())
        slope = (weight[:, np.newaxis] * (np.exp(new) - wanted)).T @ rows
        slope += REPLAY * ((np.exp(replay) - old_answers).T @ old_rows) / len(replay) + strength * change
        return value, slope.ravel()

    found = minimize(loss, np.zeros(CLASSES * rows.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 300})
    change = np.asarray(found.x).reshape(CLASSES, -1)
    weights, bias = head.weights.copy(), head.bias.copy()
    moved = np.linalg.solve(root.T, change[:, :-1].T).T
    weights[:CLASSES] += moved
    bias[:CLASSES] += change[:, -1] - moved @ centre
    return Head(weights, bias)


def choose_strength(
    head: Head, features: NDArray[Any], truth: NDArray[Any], groups: Sequence[object], old: Statistics, seed: int = 0
) -> float:
    """Return the strength of the penalty with the least cross-validated loss; no group is on both sides."""
    folds = folds_of(truth, groups, FOLDS, seed)
    losses = []
    for strength in STRENGTHS:
        total = 0.0
        for test in folds:
            fitted = fit_head(head, features[~test], truth[~test], old, strength, seed)
            total -= float(class_log_probabilities(fitted, features[test])[np.arange(test.sum()), truth[test]].sum())
        losses.append(total)
    return STRENGTHS[int(np.argmin(losses))]


def out_of_fold(
    head: Head,
    features: NDArray[Any],
    truth: NDArray[Any],
    groups: Sequence[object],
    old: Statistics,
    strength: float,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Return float (n, 4): the log-probabilities of each field by a layer that was not fitted to its group."""
    found = class_log_probabilities(head, features)
    for test in folds_of(truth, groups, FOLDS, seed):
        fitted = fit_head(head, features[~test], truth[~test], old, strength, seed)
        found[test] = class_log_probabilities(fitted, features[test])
    return found


def lost_answers(head: Head, fitted: Head, old: Statistics) -> float:
    """Return the share of right answers that `fitted` loses against `head`, on features drawn from the old site.

    Not the share of answers that change: between two classes many change from wrong to right, and back.
    """
    drawn = old.sample(np.random.default_rng(1))
    truth = np.repeat(np.arange(CLASSES), REPLAYED)
    right = [np.mean(class_log_probabilities(each, drawn).argmax(axis=1) == truth) for each in (head, fitted)]
    return float(right[0] - right[1])


def folds_of(truth: NDArray[Any], groups: Sequence[object], count: int, seed: int) -> list[NDArray[np.bool_]]:
    """Return at most `count` parts of the fields, bool (n,) each: whole groups, each class spread over all parts.

    A class of a single group is divided field by field: what one part says of another is little about another slide.
    """
    names = np.array([str(group) for group in groups], object)
    for label in np.unique(truth):
        rows = np.flatnonzero(truth == label)
        if len(set(names[rows])) == 1:
            names[rows] = [f"{names[row]} {row}" for row in rows]
    folds = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a class with fewer fields than parts
        found = [np.isin(np.arange(len(truth)), test) for _, test in folds.split(names, truth, names.astype(str))]
    return [fold for fold in found if fold.any() and not fold.all()]


def _whitened(features: NDArray[Any], centre: NDArray[Any], root: NDArray[Any]) -> NDArray[np.float64]:
    """Return float (n, d + 1): features of unit covariance at the old site, and a constant."""
    white = np.linalg.solve(root, (features - centre).T).T
    return np.column_stack([white, np.ones(len(white))])
