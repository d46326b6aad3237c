"""A measured share with its interval: the form of almost every figure of the controls."""

from collections.abc import Sequence
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
    name: str, values: NDArray[Any], groups: Sequence[str] | NDArray[np.str_], wanted: float | None = None
) -> Share:
    """Return the mean of bool or float (n,) `values`; of none, 0 with the widest interval."""
    if not len(values):
        return Share(name, 0.0, 0.0, 1.0, 0, wanted)
    numbers = values.astype(float)
    low, high = bootstrap_interval(numbers, groups, lambda drawn: float(drawn.mean()), 0)
    return Share(name, float(numbers.mean()), low, high, len(values), wanted)
