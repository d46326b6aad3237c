"""A measured share with its interval: the form of almost every figure of the controls."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smear.metrics import bootstrap_interval


@dataclass(frozen=True, slots=True)
class Share:
    """A share of `n` pictures with its 95 % interval, resampled by group; `wanted` is the least that passes."""

    name: str
    value: float
    low: float
    high: float
    n: int
    wanted: float | None = None

    @property
    def passed(self) -> bool | None:
        """Whether it is at least what is wanted; None where nothing is."""
        return None if self.wanted is None else self.value >= self.wanted


def share(
    name: str, values: Sequence[float] | NDArray[Any], groups: Sequence[str] | NDArray[np.str_],
    wanted: float | None = None,
) -> Share:  # fmt: skip
    """Return the mean of bool or float (n,) `values`; of none, 0 with the widest interval."""
    numbers = np.asarray(values, float)
    return measured(name, lambda rows: float(numbers[rows].mean()), groups, wanted)


def measured(
    name: str, statistic: Callable[[NDArray[Any]], float], groups: Sequence[str] | NDArray[np.str_],
    wanted: float | None = None,
) -> Share:  # fmt: skip
    """Return `statistic` of row numbers, int (n,), over all rows; `groups` is the group of each row."""
    rows = np.arange(len(groups))
    if not len(rows):
        return Share(name, 0.0, 0.0, 1.0, 0, wanted)
    low, high = bootstrap_interval(rows, groups, statistic, 0)
    return Share(name, statistic(rows), low, high, len(rows), wanted)
