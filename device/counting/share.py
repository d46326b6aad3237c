"""A share of a number that was counted, with its interval."""

from dataclasses import dataclass

from smear.metrics import wilson_interval


@dataclass(frozen=True, slots=True)
class Share:
    """A share of `n` in `total` with its 95 % Wilson interval."""

    n: int
    total: int
    share: float
    low: float
    high: float


def share_of(n: int, total: int) -> Share:
    """Return `n` of `total` with its interval; 0 with the whole 0 to 1 when `total` is 0."""
    return Share(n, total, n / total if total else 0.0, *wilson_interval(n, total))
