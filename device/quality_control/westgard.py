"""Westgard's multirule: patterns of control measurements that are unlikely to be chance.

Westgard, Barry, Hunt and Groth, "A multi-rule Shewhart chart for quality control in clinical chemistry", Clin Chem 27
(1981) 493. A measurement enters as its z-score: its distance from the expected mean, in standard deviations. To break a
rule it must lie beyond the limit; one that lies on it does not.
"""

from collections.abc import Sequence
from enum import StrEnum


class Rule(StrEnum):
    """One control rule; every one but `WARNING` rejects the measurement."""

    ONE_3S = "1-3s"
    TWO_2S = "2-2s"
    RANGE_4S = "R-4s"
    FOUR_1S = "4-1s"
    TEN_X = "10x"
    WARNING = "1-2s"


MEANING = {
    Rule.ONE_3S: "beyond 3 standard deviations",
    Rule.TWO_2S: "the second in a row beyond 2 standard deviations on the same side",
    Rule.RANGE_4S: "beyond 2 standard deviations, and another control of the same run beyond 2 on the other side",
    Rule.FOUR_1S: "the fourth in a row beyond 1 standard deviation on the same side",
    Rule.TEN_X: "the tenth in a row on the same side of the mean",
    Rule.WARNING: "beyond 2 standard deviations: a warning alone",
}


def broken_rules(own: Sequence[float], all_controls: Sequence[float] = (), run: Sequence[float] = ()) -> list[Rule]:
    """Return the rules that the newest measurement breaks, the warning last.

    `own` are the z-scores of this control in the order they were taken, the newest last; `all_controls` those of this
    and every other control together in that order; `run` those of the other controls in the newest one's run.
    """
    newest = own[-1]
    tests = {
        Rule.ONE_3S: abs(newest) > 3,
        Rule.TWO_2S: _in_a_row(own, 2, 2) or any(_in_a_row([newest, other], 2, 2) for other in run),
        Rule.RANGE_4S: any(abs(newest) > 2 and abs(other) > 2 and newest * other < 0 for other in run),
        Rule.FOUR_1S: _in_a_row(own, 4, 1) or _in_a_row(all_controls, 4, 1),
        Rule.TEN_X: _in_a_row(own, 10, 0) or _in_a_row(all_controls, 10, 0),
        Rule.WARNING: abs(newest) > 2,
    }
    return [rule for rule, broken in tests.items() if broken]


def rejects(rules: Sequence[Rule]) -> bool:
    """Tell whether one of the broken `rules` is more than a warning."""
    return any(rule is not Rule.WARNING for rule in rules)


def _in_a_row(scores: Sequence[float], count: int, limit: float) -> bool:
    last = scores[-count:]
    return len(last) == count and (all(z > limit for z in last) or all(z < -limit for z in last))
