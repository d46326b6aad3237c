"""What a detector does to fields of a laboratory that it was not fitted to, and to our own test fields."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smear.bundle.manifest import Classifier, Detector
from smear.inference.detection import FeatureModel, assess
from smear.metrics import expected_calibration_error, softmax, wilson_interval
from train.data.laboratories import Condition, is_leukocyte
from train.evaluation.features.observed_fields import ObservedField
from train.fitting.detection.detector import CellExamples, OwnFields, detector_facts, few_cells_temperature, fit
from train.fitting.detection.observation_run import LaboratoryFields

BENIGN = 0  # index in LABELS: every other class is a leukaemia


@dataclass(frozen=True, slots=True)
class Count:
    """How many of `n` fields get which kind of label."""

    n: int
    leukaemia: int
    benign: int

    @property
    def leukaemia_upper(self) -> float:
        """Upper end of the 95 % interval of the share called leukaemia (Wilson)."""
        return wilson_interval(self.leukaemia, self.n)[1]

    @property
    def benign_upper(self) -> float:
        """Upper end of the 95 % interval of the share called Benign (Wilson)."""
        return wilson_interval(self.benign, self.n)[1]

    def __add__(self, other: "Count") -> "Count":
        return Count(self.n + other.n, self.leukaemia + other.leukaemia, self.benign + other.benign)


@dataclass(frozen=True, slots=True)
class HeldOut:
    """One laboratory under one condition."""

    laboratory: str
    condition: Condition
    before: Count  # by the bundle without a detector, all of its other rules applied
    detector: Count  # by the detector and the certainty asked alone: no rule about light, background or focus helps
    gated: Count  # by the whole gate


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A detector as a bundle would carry it."""

    model: FeatureModel
    classifier: Classifier  # with the detector's facts and the temperatures for few cells

    @property
    def facts(self) -> Detector:
        """The detector's limits."""
        assert self.classifier.detector is not None
        return self.classifier.detector


def fit_detector(own: OwnFields, others: Sequence[LaboratoryFields], classifier: Classifier) -> Fitted:
    """Fit a detector to `own` fields and to `others`, and enter it in the facts of `classifier`."""
    taught = [one for one in others if one.laboratory.teaches]
    fields = [[field for fields in one.conditions.values() for field in fields] for one in taught]
    model = fit(own, fields, cell_examples(taught))
    facts = detector_facts(model, own, [one.laboratory.name for one in taught])
    few = few_cells_temperature(own, classifier.temperature)
    update = {"detector": facts, "few_cells_temperature": few, "ood_above": None}
    return Fitted(model, classifier.model_copy(update=update))


def cell_examples(laboratories: Sequence[LaboratoryFields]) -> CellExamples | None:
    """Return the cells of `laboratories`, at the right scale, by whether they are leukocytes; None without any."""
    found: dict[bool, list[NDArray[Any]]] = {True: [], False: []}
    for one in laboratories:
        for field in (*one.conditions["right scale"], *one.conditions["white-balanced"]):
            for features, centre in zip(field.features, field.centres, strict=True):
                found[is_leukocyte(one.laboratory, field.name, centre)].append(features)
    if not found[True] or not found[False]:
        return None
    return CellExamples(np.stack(found[True]), np.stack(found[False]))


def leave_one_out(
    own: OwnFields, laboratories: Sequence[LaboratoryFields], classifier: Classifier, parts: Mapping[str, Sequence[str]]
) -> list[HeldOut]:
    """Return the rows of each laboratory by a detector that was fitted to the other laboratories.

    `parts` names folders of a laboratory that get rows of their own besides.
    """
    rows = []
    for held in laboratories:
        fitted = fit_detector(own, [one for one in laboratories if one is not held], classifier)
        inner = [held.part(folder) for folder in parts.get(held.laboratory.name, ())]
        rows += [row for one in (held, *inner) for row in held_out_rows(fitted, one)]
    return rows


def held_out_rows(fitted: Fitted, held: LaboratoryFields) -> list[HeldOut]:
    """Return one row for each condition of a laboratory."""
    return [
        HeldOut(
            held.laboratory.name,
            condition,
            _count(fields, [field.labelled_before for field in fields]),
            _count(fields, [passes(field, fitted) for field in fields]),
            _count(fields, [passes(field, fitted) and not field.refused for field in fields]),
        )
        for condition, fields in held.conditions.items()
    ]


def passes(field: ObservedField, fitted: Fitted) -> bool:
    """Return whether the detector and the certainty asked let `field` be labelled."""
    if not field.cells:
        return False
    sure = float(probabilities(field, fitted.classifier).max()) >= fitted.classifier.abstain_below
    return sure and assess(field.features, fitted.model, fitted.facts).within


def probabilities(field: ObservedField, classifier: Classifier) -> NDArray[Any]:
    """Return float (4,): the calibrated probabilities of a field."""
    return softmax(field.log_probabilities / classifier.temperature_for(field.cells))


def _count(fields: Sequence[ObservedField], labelled: Iterable[bool]) -> Count:
    tops = [field.top for field, given in zip(fields, labelled, strict=True) if given]
    return Count(len(fields), sum(top != BENIGN for top in tops), sum(top == BENIGN for top in tops))


@dataclass(frozen=True, slots=True)
class OwnFigures:
    """What is left of our own test fields."""

    n: int
    accuracy: float  # of the best class, refused or not
    labelled: int
    right: int  # of the labelled
    ece: float
    few: int  # fields with few cells
    few_labelled: int
    few_right: int  # of the few that are labelled
    surest_single: float  # highest probability of a field with a single cell
    turned_labelled: int  # of the same fields, turned or mirrored
    turned_right: int


def own_figures(own: OwnFields, fitted: Fitted) -> OwnFigures:
    """Score our own test fields."""
    fields = [(field, label) for field, label in own.test if field.cells]
    given = np.array([passes(field, fitted) and not field.refused for field, _ in fields])
    right = np.array([field.top == label for field, label in fields])
    few = np.array([field.cells <= fitted.facts.few_cells for field, _ in fields])
    calibrated = np.stack([probabilities(field, fitted.classifier) for field, _ in fields])
    turned = [field.top == label for field, label in own.turned_test if passes(field, fitted) and not field.refused]
    single = [row.max() for row, (field, _) in zip(calibrated, fields, strict=True) if field.cells == 1]
    return OwnFigures(
        n=len(own.test),
        accuracy=float(right.sum() / len(own.test)),
        labelled=int(given.sum()),
        right=int((given & right).sum()),
        ece=expected_calibration_error(np.array([label for _, label in fields]), calibrated),
        few=int(few.sum()),
        few_labelled=int((few & given).sum()),
        few_right=int((few & given & right).sum()),
        surest_single=float(max(single, default=0.0)),
        turned_labelled=len(turned),
        turned_right=sum(turned),
    )
