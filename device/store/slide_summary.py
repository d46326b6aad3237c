"""What a slide shows, over its accepted, distinct fields: shares with intervals, never one field's label."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

from device.counting.share import Share, share_of
from smear.classes import LABELS
from smear.findings import Finding, Refusal

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
            *(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)[2:]),
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
    checked = finding.site is not None and finding.site.checked
    return tally_of_field(finding.label, finding.refusals, len(finding.cells), checked, not_cleared)


def tally_of_field(
    label: str | None, refusals: Sequence[Refusal], cells: int, site_checked: bool, not_cleared: bool
) -> SlideTally:
    """Return the tally of one field alone, from what `SlideTally` counts of it."""
    if label is not None:
        return SlideTally({label: 1}, cells=cells, site_checked=int(site_checked), not_cleared=int(not_cleared))
    codes = dict.fromkeys((str(each.code) for each in refusals), 1)
    return SlideTally(refusals=codes, refused=int(bool(codes)), empty=int(not codes), not_cleared=int(not_cleared))


def _sum(a: Mapping[str, int], b: Mapping[str, int]) -> dict[str, int]:
    return dict(Counter(a) + Counter(b))
