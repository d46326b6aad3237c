"""What a slide shows, over its accepted, distinct fields: shares with intervals, never one field's label."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from device.counting.share import Share, share_of
from smear.classes import LABELS
from smear.findings import Finding

MIN_FIELDS = 10  # with fewer, even ten equal labels leave the 95 % interval wider than 0.28: no class may lead


@dataclass(frozen=True, slots=True)
class SlideTally:
    """The counts of one slide. A field counts once; a refused one counts only by its refusals."""

    labels: Mapping[str, int] = field(default_factory=dict)  # accepted fields by class name
    refusals: Mapping[str, int] = field(default_factory=dict)  # refused fields by refusal code; one may have several
    refused: int = 0  # refused fields
    empty: int = 0  # fields with nothing to label and nothing wrong
    cells: int = 0  # leukocytes in accepted fields
    seen_again: int = 0  # frames that showed a field of the slide again; they count nowhere else
    site_checked: int = 0  # accepted fields for which a site certificate held
    not_cleared: int = 0  # fields taken while the quality control of the day was asked for and not done

    @property
    def accepted(self) -> int:
        """Fields that carry a label."""
        return sum(self.labels.values())

    @property
    def total(self) -> int:
        """Distinct fields."""
        return self.accepted + self.refused + self.empty

    def add(self, finding: Finding, not_cleared: bool = False) -> "SlideTally":
        """Return the tally with one more distinct field; see `tally_of`."""
        return self + tally_of(finding, not_cleared)

    def __add__(self, other: "SlideTally") -> "SlideTally":
        """Return the sum of two tallies of different fields."""
        return SlideTally(
            _sum(self.labels, other.labels),
            _sum(self.refusals, other.refusals),
            self.refused + other.refused,
            self.empty + other.empty,
            self.cells + other.cells,
            self.seen_again + other.seen_again,
            self.site_checked + other.site_checked,
            self.not_cleared + other.not_cleared,
        )

    def class_shares(self) -> dict[str, Share]:
        """Return the share of each class among the accepted fields, in the order of LABELS."""
        return {name: share_of(self.labels.get(name, 0), self.accepted) for name in LABELS}

    def leading(self) -> str | None:
        """Return the class whose interval lies above every other's; None when the fields do not decide it."""
        if self.accepted < MIN_FIELDS:
            return None
        ranked = sorted(self.class_shares().items(), key=lambda item: item[1].share, reverse=True)
        (name, first), (_, second) = ranked[0], ranked[1]
        return name if first.low > second.high else None


def tally_of(finding: Finding, not_cleared: bool = False) -> SlideTally:
    """Return the tally of one field alone; `not_cleared`: without the quality control of the day that was asked for."""
    unfit = int(not_cleared)
    if finding.label is not None:
        checked = int(finding.site is not None and finding.site.checked)
        return SlideTally({finding.label: 1}, cells=len(finding.cells), site_checked=checked, not_cleared=unfit)
    if finding.refusals:
        codes = dict.fromkeys((str(refusal.code) for refusal in finding.refusals), 1)
        return SlideTally(refusals=codes, refused=1, not_cleared=unfit)
    return SlideTally(empty=1, not_cleared=unfit)


def _sum(a: Mapping[str, int], b: Mapping[str, int]) -> dict[str, int]:
    return {name: a.get(name, 0) + b.get(name, 0) for name in [*a, *(n for n in b if n not in a)]}
