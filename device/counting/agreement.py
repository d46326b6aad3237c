"""How far two operators agree on the same cells: per cent agreement, Cohen's kappa, and who called what what."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.counting.share import Share, share_of
from smear.metrics import Z_95, confusion_matrix


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two operators over the cells that both gave a class to."""

    classes: tuple[str, ...]  # that either gave, in the order of the matrix
    confusion: tuple[tuple[int, ...], ...]  # rows: the first operator's class, columns: the second's
    agreed: Share
    kappa: float | None  # Cohen's; None: no cells, or both gave all of them one class, and chance explains everything
    kappa_low: float | None  # 95 % interval
    kappa_high: float | None

    def to_json(self) -> dict[str, Any]:
        """Return the agreement as JSON types."""
        return asdict(self)


def agreement(pairs: Iterable[tuple[str, str]], order: Sequence[str] = ()) -> Agreement:
    """Return the agreement over `pairs`, of each cell the class that the first and the second operator gave it.

    `order` is that of the classes in the matrix; one that is not in it comes last.
    """
    found = list(pairs)
    rank = {name: number for number, name in enumerate(order)}
    names = tuple(sorted({name for pair in found for name in pair}, key=lambda name: (rank.get(name, len(rank)), name)))
    index = {name: number for number, name in enumerate(names)}
    first, second = (np.array([index[pair[side]] for pair in found], np.int64) for side in (0, 1))
    matrix = confusion_matrix(first, second, len(names))
    kappa, half = _kappa(matrix)
    return Agreement(
        names,
        tuple(tuple(map(int, row)) for row in matrix),
        share_of(int(np.trace(matrix)), len(found)),
        kappa,
        None if kappa is None or half is None else max(-1.0, kappa - half),
        None if kappa is None or half is None else min(1.0, kappa + half),
    )


def _kappa(matrix: NDArray[np.int64]) -> tuple[float | None, float | None]:
    """Return Cohen's kappa and half the width of its 95 % interval.

    The standard error is that of Fleiss, Cohen and Everitt (1969), "Large sample standard errors of kappa and weighted
    kappa", equation 13; at perfect agreement it is 0, which says more of the method than of the operators.
    """
    n = int(matrix.sum())
    if n == 0:
        return None, None
    p = matrix / n
    rows, columns, agreed = p.sum(axis=1), p.sum(axis=0), np.diag(p)
    chance = float(rows @ columns)
    if math.isclose(chance, 1.0):
        return None, None
    kappa = (float(agreed.sum()) - chance) / (1 - chance)
    a = float((agreed * (1 - (rows + columns) * (1 - kappa)) ** 2).sum())
    crossed = p * (columns[:, None] + rows[None, :]) ** 2
    b = (1 - kappa) ** 2 * float(crossed.sum() - np.trace(crossed))
    c = (kappa - chance * (1 - kappa)) ** 2
    return kappa, Z_95 * math.sqrt(max(0.0, a + b - c) / n) / (1 - chance)
