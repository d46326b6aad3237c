"""The detector's score beside simpler ones, each with limits that refuse as many of our own fields."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from smear.inference.detection import FeatureModel
from train.data.laboratories import CONDITIONS, Condition
from train.evaluation.features.observed_fields import ObservedField
from train.fitting.detection.detector import (
    FEW_CELLS,
    REFUSED,
    REFUSED_FEW,
    OwnFields,
    conformal_limit,
    field_means,
    fit,
)
from train.fitting.detection.leave_one_laboratory_out import BENIGN, Count
from train.fitting.detection.observation_run import LaboratoryFields

NEIGHBOURS = 10
Score = Callable[[Sequence[ObservedField]], NDArray[Any]]
"""Float (n,) of fields that have cells; larger is less like our own."""


@dataclass(frozen=True, slots=True)
class Ablation:
    """One score over all laboratories, each held out in turn; no other rule of the gate helps."""

    score: str
    own_refused: float  # share of our own test fields
    held_out: dict[Condition, Count]
    worst: float  # share called leukaemia in the worst laboratory and condition


def ablate(own: OwnFields, laboratories: Sequence[LaboratoryFields]) -> list[Ablation]:
    """Compare the scores."""
    found: dict[str, list[tuple[float, dict[Condition, Count]]]] = {}
    for held in laboratories:
        others = [one for one in laboratories if one is not held and one.laboratory.teaches]
        model = fit(own, [[field for fields in one.conditions.values() for field in fields] for one in others])
        for name, score in _scores(model, own).items():
            found.setdefault(name, []).append(_measure(score, own, held.conditions))
    return [
        Ablation(
            name,
            float(np.mean([refused for refused, _ in rows])),
            {c: sum((counts[c] for _, counts in rows), Count(0, 0, 0)) for c in CONDITIONS},
            max(counts[c].leukaemia / max(1, counts[c].n) for _, counts in rows for c in CONDITIONS),
        )
        for name, rows in found.items()
    ]


def _scores(model: FeatureModel, own: OwnFields) -> dict[str, Score]:
    def scaled(fields: Sequence[ObservedField]) -> NDArray[Any]:
        return np.asarray((field_means(fields) - model.mean) / model.scale)

    known = [field for field, _ in own.train if field.cells]
    nearest = NearestNeighbors(n_neighbors=NEIGHBOURS, metric="cosine").fit(scaled(known))
    return {
        "share of the classifier's own 'other'": lambda fields: np.array([field.other_share for field in fields]),
        f"{NEIGHBOURS} nearest neighbours": lambda fields: nearest.kneighbors(scaled(fields))[0][:, -1],
        "distance (Mahalanobis)": lambda fields: model.distance(field_means(fields)),
        "linear classifier": lambda fields: model.linear(field_means(fields)),
        "both added (ships)": lambda fields: model.score(field_means(fields)),
    }


def _measure(
    score: Score, own: OwnFields, conditions: Mapping[Condition, Sequence[ObservedField]]
) -> tuple[float, dict[Condition, Count]]:
    def of(fields: Sequence[tuple[ObservedField, int]], few: bool) -> list[ObservedField]:
        return [field for field, _ in fields if field.cells and (field.cells <= FEW_CELLS) == few]

    many = conformal_limit(score(of([*own.validation, *own.corrupted_validation], few=False)), REFUSED)
    sparse = of([*own.train, *own.validation], few=True)
    few = min(many, conformal_limit(score(sparse), REFUSED_FEW)) if sparse else many

    def kept(fields: Sequence[ObservedField]) -> list[ObservedField]:
        seen = [field for field in fields if field.cells]
        scores = score(seen) if seen else np.zeros(0)
        limits = [few if field.cells <= FEW_CELLS else many for field in seen]
        return [field for field, value, limit in zip(seen, scores, limits, strict=True) if value <= limit]

    test = [field for field, _ in own.test if field.cells]
    counts = {}
    for condition, fields in conditions.items():
        tops = [field.top for field in kept(fields)]
        counts[condition] = Count(len(fields), sum(t != BENIGN for t in tops), sum(t == BENIGN for t in tops))
    return 1.0 - len(kept(test)) / len(test), counts
