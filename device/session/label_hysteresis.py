"""Hysteresis: a label that comes and goes on the same field is no result, so it must come twice before it is given."""

from dataclasses import dataclass, replace

from smear.findings import Finding

AGREE = 2  # results in a row on the same field; the first look at a field that was never doubted needs no second
UNSTEADY = "not steady yet (the last results on this field differ): hold the stage still"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was last concluded about the field under the objective."""

    label: str | None  # what the gate let through, held or not
    agreed: int  # results in a row that said so


def settle(before: Outcome | None, finding: Finding) -> tuple[Finding, Outcome]:
    """Return what may be said after `finding`, and what to remember; `before` is None when the field is a new one.

    A refusal holds at once, since it protects; a label that differs from what was said before has to come again.
    """
    if before is None:
        return finding, Outcome(finding.label, AGREE)
    agreed = before.agreed + 1 if finding.label == before.label else 1
    outcome = Outcome(finding.label, agreed)
    if finding.label is None or agreed >= AGREE:
        return finding, outcome
    return replace(finding, label=None, refusals=(*finding.refusals, UNSTEADY)), outcome
