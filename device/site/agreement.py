"""How far a bundle agrees with the labels of a site: shares with their 95 % Wilson intervals, and what is missing."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from smear.classes import FIELD_CLASSES, LABELS
from smear.metrics import wilson_interval

NORMAL = "Normal"
"""Kind of a field that belongs to none of the classes; no label is right for it."""
BLASTS = frozenset(each.name for each in FIELD_CLASSES if each.malignant)
MIN_FIELDS = 20  # with cells, of each kind: of 20 that agree the interval still begins at 0.84

AGREEMENT, SENSITIVITY, SPECIFICITY = "agreement", "sensitivity", "specificity"
DETECTED, FALSE_BLASTS, LABELLED = "detected", "normal_called_blasts", "labelled"
MEANING = {
    AGREEMENT: "labelled fields with the label that a person gave them; none is right for normal blood",
    SENSITIVITY: "labelled fields of blasts with the label of a blast class",
    SPECIFICITY: "fields without blasts that do not get the label of a blast class",
    DETECTED: "fields of blasts with the label of a blast class, refused ones counted as missed",
    FALSE_BLASTS: "fields of normal blood with the label of a blast class",
    LABELLED: "fields of the four classes that get a label",
}
"""Every figure and what it is the share of."""


class Proportion(BaseModel):
    """A share of `of`, with its 95 % Wilson interval."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    n: int
    of: int
    low: float
    high: float

    @property
    def value(self) -> float | None:
        """The share; None of nothing."""
        return self.n / self.of if self.of else None

    def __str__(self) -> str:
        if self.value is None:
            return "not measured"
        return f"{self.value:.1%} ({self.low:.1%} to {self.high:.1%}; {self.n} of {self.of})"


@dataclass(frozen=True, slots=True)
class CheckedField:
    """One labelled field and the answer to it."""

    file: str
    kind: str  # one of LABELS, or NORMAL
    label: str | None  # None: refused
    cells: int
    refusals: tuple[str, ...] = ()  # codes


@dataclass(frozen=True, slots=True)
class Demands:
    """What a site must reach before its labels count as checked."""

    agreement: float
    sensitivity: float
    specificity: float


def proportion(n: int, of: int) -> Proportion:
    """Return `n` of `of` with its interval."""
    low, high = wilson_interval(n, of)
    return Proportion(n=n, of=of, low=round(low, 6), high=round(high, 6))


def kind_of(folder: str) -> str:
    """Return the kind of the fields in `folder`: the class of that name in any case, else normal blood."""
    return next((name for name in LABELS if name.lower() == folder.lower()), NORMAL)


def counts_of(fields: Sequence[CheckedField]) -> dict[str, int]:
    """Return how many fields with cells there are of each kind that is present, in the order of the classes."""
    present = {each.kind for each in fields}
    with_cells = Counter(each.kind for each in fields if each.cells)
    return {kind: with_cells[kind] for kind in (*LABELS, NORMAL) if kind in present}


def missing_of(fields: Sequence[CheckedField]) -> list[str]:
    """Return what a check of these `fields` lacks, a phrase each."""
    counts = counts_of(fields)
    lacks = [f"{MIN_FIELDS - n} more of {kind} with cells (there are {n})" for kind, n in counts.items()
             if n < MIN_FIELDS]  # fmt: skip
    if NORMAL not in counts:
        lacks.append(f"{MIN_FIELDS} fields of normal blood, in a sub-folder {NORMAL}")
    if not BLASTS & set(counts):
        lacks.append(f"{MIN_FIELDS} fields of blasts, in a sub-folder {' or '.join(sorted(BLASTS))}")
    return lacks


def figures_of(fields: Sequence[CheckedField]) -> dict[str, Proportion]:
    """Return every figure of `MEANING`."""
    blasts = [each for each in fields if each.kind in BLASTS]
    others = [each for each in fields if each.kind not in BLASTS]
    normal = [each for each in fields if each.kind == NORMAL]
    of_classes = [each for each in fields if each.kind != NORMAL]
    labelled = [each for each in fields if each.label is not None]
    called = [each for each in blasts if each.label in BLASTS]
    return {
        AGREEMENT: proportion(sum(each.label == each.kind for each in labelled), len(labelled)),
        SENSITIVITY: proportion(len(called), sum(each.label is not None for each in blasts)),
        SPECIFICITY: proportion(sum(each.label not in BLASTS for each in others), len(others)),
        DETECTED: proportion(len(called), len(blasts)),
        FALSE_BLASTS: proportion(sum(each.label in BLASTS for each in normal), len(normal)),
        LABELLED: proportion(sum(each.label is not None for each in of_classes), len(of_classes)),
    }


def refusals_of(fields: Sequence[CheckedField]) -> dict[str, Proportion]:
    """Return the share of all `fields` refused with each code, the most frequent first."""
    codes = Counter(code for each in fields for code in set(each.refusals))
    return {code: proportion(n, len(fields)) for code, n in codes.most_common()}


def answers_of(fields: Sequence[CheckedField]) -> dict[str, dict[str, int]]:
    """Return for each kind how many of its fields got each label, and how many none ("refused")."""
    table: dict[str, dict[str, int]] = {}
    for kind in (*LABELS, NORMAL):
        given = Counter(each.label or "refused" for each in fields if each.kind == kind)
        if given:
            table[kind] = {name: given[name] for name in (*LABELS, "refused")}
    return table


def shortfalls(figures: dict[str, Proportion], demands: Demands) -> list[str]:
    """Return where `figures` fall short of `demands`, a phrase each; what was not measured falls short."""
    lacks = []
    for name in (AGREEMENT, SENSITIVITY, SPECIFICITY):
        value, least = figures[name].value, getattr(demands, name)
        if value is None:
            lacks.append(f"{name} was not measured: no field got a label")
        elif not value >= least:
            lacks.append(f"{name} {value:.1%} is below {least:.1%} (setting site.min_{name})")
    return lacks
