"""Fitting the out-of-distribution detector: features of our own fields against those of other laboratories."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import LogisticRegression

from smear.bundle.manifest import Detector
from smear.classes import LABELS
from smear.inference.detection import FILE, FeatureModel
from train.evaluation.features.observed_fields import ObservedField
from train.fitting.calibration import fit_temperature

REFUSED = 0.003  # share of our own validation fields, clean and mildly corrupted, that the detector may refuse
REFUSED_FEW = 0.30  # the same of fields with few cells: one lymphocyte looks like one blast more often than ten do
FEW_CELLS = 2  # 4 % of our own fields have no more; most healthy fields that were called Pro-B hold a single lymphocyte
REFUSED_CELLS = 0.05  # of single cells
MAX_OTHER_CELLS = 0.5  # a label speaks of most cells of a field
RENDERED_SHARE = 0.1  # of our own weight: rendered fields, so that the demonstration's slides get labels too
REGULARISATION = 0.05  # C of the linear classifier: 80 weights must not learn a laboratory by heart
CELL_REGULARISATION = 0.03  # C of the classifier of single cells
LOST_CELLS = 0.001  # share of our own cells that may be taken for none
_LEAST_SCALE = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class OwnFields:
    """Our own fields by their part in fitting; each with its class, index in LABELS."""

    train: Sequence[tuple[ObservedField, int]]
    validation: Sequence[tuple[ObservedField, int]]
    test: Sequence[tuple[ObservedField, int]]
    corrupted_train: Sequence[tuple[ObservedField, int]]  # each once under a mild corruption, turned
    corrupted_validation: Sequence[tuple[ObservedField, int]]
    turned_test: Sequence[tuple[ObservedField, int]]
    rendered: Sequence[ObservedField]  # by `smear.synthetic`
    few: Mapping[int, Sequence[tuple[ObservedField, int]]]  # validation fields with so many of their cells left


@dataclass(frozen=True, slots=True, eq=False)
class CellExamples:
    """Features of single cells of other laboratories."""

    leukocytes: NDArray[np.float64]  # (n, d), of whatever kind
    none: NDArray[np.float64]  # (m, d): what the segmenter takes for a leukocyte and is none


def fit(own: OwnFields, others: Sequence[Sequence[ObservedField]], cells: CellExamples | None = None) -> FeatureModel:
    """Fit to our own training fields, and to one list of fields for each of the other laboratories.

    Each laboratory has the same weight, however many pictures it has, and all of them together as much as our own.
    Without `cells`, examples of single cells from other laboratories, every cell is a leukocyte.
    """
    clean, _ = _means(own.train)
    features, labels = _means([*own.train, *own.corrupted_train])
    mean, scale = clean.mean(axis=0), clean.std(axis=0) + _LEAST_SCALE
    own_scaled = (features - mean) / scale
    centres = np.stack([own_scaled[labels == label].mean(axis=0) for label in range(len(LABELS))])
    with_cells = [fields for fields in (own.rendered, *others) if any(field.cells for field in fields)]
    scaled = [(field_means(fields) - mean) / scale for fields in with_cells]
    weights, bias = _linear(own_scaled, scaled[0], scaled[1:])
    model = FeatureModel(
        mean, scale, centres, LedoitWolf().fit(own_scaled - centres[labels]).precision_, weights, bias,
        np.array([[0.0, 1.0], [0.0, 1.0]]), np.zeros(len(mean)), np.array(1.0),
    )  # fmt: skip
    checked, _ = _means(own.validation)
    typical = [_typical(model.distance(checked)), _typical(model.linear(checked))]
    model = replace(model, typical=np.array(typical))
    return model if cells is None or not len(cells.none) else with_cell_classifier(model, own, cells)


def _linear(
    own: NDArray[Any], rendered: NDArray[Any], others: Sequence[NDArray[Any]]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Fit weights and bias; our own fields, real and rendered, weigh as much as all others together."""
    parts = [own, rendered, *others]
    shares = [1.0 - RENDERED_SHARE, RENDERED_SHARE, *(1.0 / len(others) for _ in others)]
    rows, sizes = np.concatenate(parts), [len(part) for part in parts]
    wanted = np.repeat([0, 0, *(1 for _ in others)], sizes)
    weight = np.repeat([share / size for share, size in zip(shares, sizes, strict=True)], sizes)
    linear = LogisticRegression(C=REGULARISATION, max_iter=1000)
    linear.fit(rows, wanted, sample_weight=weight * len(rows) / 2)
    return np.asarray(linear.coef_[0]), np.asarray(linear.intercept_[0])


def with_cell_classifier(model: FeatureModel, own: OwnFields, cells: CellExamples) -> FeatureModel:
    """Return `model` with a linear classifier of single cells: leukocytes against what the segmenter takes for them."""
    fields = [field for field, _ in (*own.train, *own.corrupted_train)]
    ours = np.concatenate([field.features for field in fields])
    parts = [ours, cells.leukocytes, cells.none]
    rows, sizes = np.concatenate(parts), [len(part) for part in parts]
    weight = np.repeat([1 / size for size in sizes], sizes) * len(rows) / len(parts)
    linear = LogisticRegression(C=CELL_REGULARISATION, max_iter=2000)
    linear.fit((rows - model.mean) / model.scale, np.repeat([1, 1, 0], sizes), sample_weight=weight)
    model = replace(model, cell_weights=linear.coef_[0], cell_bias=np.array(0.0))
    kept = np.concatenate([field.features for field, _ in (*own.validation, *own.corrupted_validation)])
    return replace(model, cell_bias=np.array(conformal_limit(-model.leukocyte(kept), LOST_CELLS)))


def _typical(scores: NDArray[Any]) -> tuple[float, float]:
    middle = float(np.median(scores))
    return middle, max(float(np.quantile(scores, 0.95)) - middle, _LEAST_SCALE)


def detector_facts(model: FeatureModel, own: OwnFields, sources: Sequence[str]) -> Detector:
    """Return the limits of `model`, each the conformal quantile of our own fields at its share refused."""
    checked = [field for field, _ in (*own.validation, *own.corrupted_validation) if field.cells > FEW_CELLS]
    few = [field for field, _ in (*own.train, *own.validation) if 0 < field.cells <= FEW_CELLS]
    cells = np.concatenate([field.features for field, _ in own.validation])
    limit = conformal_limit(model.score(field_means(checked)), REFUSED)
    return Detector(
        file=FILE,
        limit=limit,
        limit_few=min(limit, conformal_limit(model.score(field_means(few)), REFUSED_FEW)) if few else limit,
        few_cells=FEW_CELLS,
        cell_limit=conformal_limit(model.score(cells), REFUSED_CELLS),
        max_other_cells=MAX_OTHER_CELLS,
        sources=tuple(sources),
    )


def few_cells_temperature(own: OwnFields, temperature: float) -> tuple[float, ...]:
    """Return the temperature of a field with 1, 2, ... cells, never below that of a field with more."""
    fitted = []
    for count in range(1, FEW_CELLS + 1):
        log = np.array([field.log_probabilities for field, _ in own.few[count]])
        labels = np.array([label for _, label in own.few[count]])
        fitted.append(max(temperature, fit_temperature(log, labels)) if len(labels) else temperature)
    return tuple(fitted)


def conformal_limit(scores: NDArray[Any], refused: float) -> float:
    """Return the limit that at most a share `refused` of new fields like those of `scores` exceeds, on average.

    The split-conformal quantile (Vovk et al. 2005): the rank is counted as if the new field were one of them.
    """
    rank = math.ceil((len(scores) + 1) * (1.0 - refused))
    return float(np.sort(scores)[min(rank, len(scores)) - 1])


def field_means(fields: Sequence[ObservedField]) -> NDArray[np.float64]:
    """Return float (n, d): the mean features of each field that has cells."""
    rows = [field.features.mean(axis=0) for field in fields if field.cells]
    return np.stack(rows) if rows else np.zeros((0, 0))


def _means(fields: Sequence[tuple[ObservedField, int]]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    kept = [(field, label) for field, label in fields if field.cells]
    return field_means([field for field, _ in kept]), np.array([label for _, label in kept], np.int64)
