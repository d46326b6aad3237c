"""The differential count: how many cells of each class one operator found among the leukocytes of a slide.

The 100 % are the leukocytes, and those not identified yet, which are leukocytes as well. Smudge cells and nucleated red
cells are reported per 100 leukocytes, as is usual, and artefacts are not counted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from device.counting.cell_classes import CellClass, Role
from device.counting.share import Share, share_of


class SlideState(StrEnum):
    """How far the work on a slide is."""

    OPEN = "open"  # recorded, or not counted by anybody
    COUNTED = "counted"  # somebody's count is complete
    SIGNED = "signed"  # read-only


@dataclass(frozen=True, slots=True)
class ClassCount:
    """How many cells one class has in a count."""

    name: str
    role: Role
    n: int
    share: Share | None  # of the leukocytes; None: the class is not one of the 100 %
    per_100: float | None  # per 100 leukocytes, of a class beside them; None: of another role, or no leukocytes yet


@dataclass(frozen=True, slots=True)
class DifferentialCount:
    """A count over the cells of a slide in the order they were taken."""

    classes: tuple[ClassCount, ...]  # all of the settings in their order, then those that the settings no longer have
    target: int  # leukocytes to count
    passed_over: int  # cells without a class that were taken before the last one with a class

    @property
    def leukocytes(self) -> int:
        """The cells that are the 100 %."""
        return sum(each.n for each in self.classes if each.share is not None)

    @property
    def unidentified(self) -> int:
        """Leukocytes to come back to."""
        return sum(each.n for each in self.classes if each.role is Role.UNIDENTIFIED)

    @property
    def missing(self) -> int:
        """Leukocytes still to count."""
        return max(0, self.target - self.leukocytes)

    @property
    def shortfalls(self) -> tuple[str, ...]:
        """What the count lacks, a phrase each; none when it is complete."""
        lacks = {
            f"{self.leukocytes} of {self.target} leukocytes": self.missing,
            f"{self.unidentified} unidentified": self.unidentified,
            f"{self.passed_over} passed over, which may bias the count": self.passed_over,
        }
        return tuple(text for text, n in lacks.items() if n)

    @property
    def complete(self) -> bool:
        """True: the target is met, every cell is identified and none was passed over."""
        return not self.shortfalls

    def to_json(self) -> dict[str, Any]:
        """Return the count as JSON types."""
        return {
            "target": self.target,
            "leukocytes": self.leukocytes,
            "unidentified": self.unidentified,
            "passed_over": self.passed_over,
            "complete": self.complete,
            "shortfalls": list(self.shortfalls),
            "classes": [asdict(each) for each in self.classes],
        }


def differential(
    counts: Mapping[str, int], classes: Sequence[CellClass], target: int, passed_over: int = 0
) -> DifferentialCount:
    """Return the count of `counts`, cells by the name of their class.

    A class that is not in `classes`, since the settings were changed, is counted as unidentified under its own name.
    """
    roles = {each.name: each.role for each in classes} | {
        name: Role.UNIDENTIFIED for name in counts if all(name != each.name for each in classes)
    }
    total = sum(counts.get(name, 0) for name, role in roles.items() if role in {Role.LEUKOCYTE, Role.UNIDENTIFIED})
    return DifferentialCount(
        tuple(_class_count(name, role, counts.get(name, 0), total) for name, role in roles.items()), target, passed_over
    )


def state_of(signed: bool, ended: bool, counts: Iterable[DifferentialCount]) -> SlideState:
    """Return the state of a slide with these `counts`; `ended`: it is not recorded any more."""
    if signed:
        return SlideState.SIGNED
    return SlideState.COUNTED if ended and any(count.complete for count in counts) else SlideState.OPEN


def _class_count(name: str, role: Role, n: int, total: int) -> ClassCount:
    share = share_of(n, total) if role in {Role.LEUKOCYTE, Role.UNIDENTIFIED} else None
    per_100 = 100 * n / total if role is Role.BESIDE and total else None
    return ClassCount(name, role, n, share, per_100)
