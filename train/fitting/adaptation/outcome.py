"""What came of an adaptation: answers before and after it, compared, and said in sentences."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smear.bundle.levels import Level
from smear.bundle.manifest import Figure
from smear.classes import LABELS
from smear.inference.evaluator import Answers
from smear.metrics import bootstrap_interval, macro_f1

MAX_LOST = 0.02  # share of the right answers on features drawn from the old site; see decision 19
FEWER_RIGHT = 0.02  # of the fields may get no right label any more
LESS_LOSS = 0.005  # of the log loss: what counts as better where macro F1 stays the same
ROUNDING = 1e-9
SPLIT = "reviewed fields of the site, cross-validated"


@dataclass(frozen=True, slots=True)
class Side:
    """What is answered to the fields before, or after by layers that were not fitted to them."""

    macro_f1: Figure  # of the best class, whether or not it was refused
    agreement: Figure  # of the labels that were given
    labelled: Figure  # share of fields that get one
    rightly_labelled: Figure  # share of fields that get the right one
    log_loss: float  # mean, of fields with cells


@dataclass(frozen=True, slots=True)
class Adaptation:
    """What came of it."""

    before: Side
    after: Side
    gain: Figure  # macro F1 after, less that before, over the same fields
    lost: float  # share of the right answers to the old site's features; below 0: there are more
    fitted: int  # fields
    strength: float
    replayed: str  # where the statistics of the old site came from
    faults: tuple[str, ...]  # why it is no improvement; empty: the bundle was written


def compare(before: Answers, after: Answers, lost: float, fitted: int, strength: float, stored: bool) -> Adaptation:
    """Return what came of it: `before` and `after` are answers to the same fields, `lost` is of the old site."""
    sides = _side(before), _side(after)
    gain = _paired(before, after)
    faults = []
    if not sides[1].macro_f1.value >= sides[0].macro_f1.value - ROUNDING:
        faults.append(f"macro F1 falls from {sides[0].macro_f1.value:.3f} to {sides[1].macro_f1.value:.3f}")
    elif not (gain.value > ROUNDING or sides[1].log_loss <= sides[0].log_loss - LESS_LOSS):
        faults.append("neither macro F1 nor log loss is better")
    fewer = sides[0].rightly_labelled.value - sides[1].rightly_labelled.value
    if not fewer <= FEWER_RIGHT:
        faults.append(f"{fewer:.1%} of the fields get no right label any more")
    if not lost <= MAX_LOST:
        faults.append(f"{lost:.1%} of the right answers to the old site's features are lost ({MAX_LOST:.0%} allowed)")
    source = "stored statistics of the old site" if stored else "rendered fields"
    return Adaptation(*sides, gain, lost, fitted, strength, source, tuple(faults))


def _side(answers: Answers) -> Side:
    truth, top, labelled = answers.truth, answers.top, answers.labelled
    right = truth == top

    def agreement(of: NDArray[Any]) -> float:
        return float(right[of][labelled[of]].mean()) if labelled[of].any() else 0.0

    with_cells = answers.with_cells()
    chances = with_cells.probabilities()
    return Side(
        macro_f1=_figure(answers.groups, lambda of: _macro_f1(truth[of], top[of])),
        agreement=_figure(answers.groups, agreement),
        labelled=_figure(answers.groups, lambda of: float(labelled[of].mean())),
        rightly_labelled=_figure(answers.groups, lambda of: float((right & labelled)[of].mean())),
        log_loss=-float(np.log(chances[np.arange(len(chances)), with_cells.truth]).mean()),
    )


def _paired(before: Answers, after: Answers) -> Figure:
    truth = before.truth

    def gain(of: NDArray[Any]) -> float:
        return _macro_f1(truth[of], after.top[of]) - _macro_f1(truth[of], before.top[of])

    return _figure(before.groups, gain)


def _macro_f1(truth: NDArray[Any], top: NDArray[Any]) -> float:
    return macro_f1(truth, top, len(LABELS) + 1, of_truth=True)  # one more: no cell was found


def _figure(groups: Sequence[str], statistic: Callable[[NDArray[Any]], float]) -> Figure:
    everything = np.arange(len(groups))
    low, high = bootstrap_interval(everything, groups, statistic, 0)
    return Figure(value=statistic(everything), split=SPLIT, n=len(groups), low=low, high=high)


def card_section(found: Adaptation, level: Level) -> str:
    """Return the section of the model card of an adapted bundle, as Markdown."""
    return "\n".join(["## Adapted to a site", "", *(f"- {line}" for line in lines_of(found, level)), "",
                      "The figures above are of the bundle before; none of them was measured again."])  # fmt: skip


def lines_of(found: Adaptation, level: Level) -> list[str]:
    """Return what came of an adaptation, a sentence each."""
    sides = (("before", found.before), ("after", found.after))
    return [
        f"Last layer fitted to {found.fitted} reviewed fields (penalty {found.strength:g}), replay of "
        f"{found.replayed}; "
        f"measured at {level} on the same fields, each by a layer fitted to others",
        *(f"{name}: macro F1 {_shown(side.macro_f1)}, right among labelled {_shown(side.agreement)}, "
          f"labelled {_shown(side.labelled)}, log loss {side.log_loss:.3f}" for name, side in sides),
        f"gain in macro F1: {_shown(found.gain)}",
        f"the old site loses {max(0.0, found.lost):.1%} of its right answers",
    ]  # fmt: skip


def _shown(figure: Figure) -> str:
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"
