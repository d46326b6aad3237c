"""Rectangles of the screen, and how one is divided into others."""

from collections.abc import Sequence
from dataclasses import dataclass

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of the screen, in its pixels."""

    x: int
    y: int
    width: int
    height: int

    def holds(self, x: int, y: int) -> bool:
        """Tell whether the point lies inside."""
        return self.x <= x < self.x + self.width and self.y <= y < self.y + self.height

    def inset(self, x: int, y: int) -> "Box":
        """Return this box without a margin of `x` at both sides and `y` above and below."""
        return Box(self.x + x, self.y + y, max(0, self.width - 2 * x), max(0, self.height - 2 * y))

    def rows(self, heights: Sequence[float], gap: int = 0) -> list["Box"]:
        """Return boxes of the full width from top to bottom, whose heights are as `heights` and fill the box."""
        return [Box(self.x, at, self.width, length) for at, length in _divided(self.y, self.height, heights, gap)]

    def columns(self, widths: Sequence[float], gap: int = 0) -> list["Box"]:
        """Return boxes of the full height from left to right, whose widths are as `widths` and fill the box."""
        return [Box(at, self.y, length, self.height) for at, length in _divided(self.x, self.width, widths, gap)]

    @property
    def wide(self) -> bool:
        """True: there is more room beside something than below it."""
        return self.width >= self.height

    def along(self, shares: Sequence[float], gap: int = 0) -> list["Box"]:
        """Return columns in a box that is `wide`, else rows."""
        return self.columns(shares, gap) if self.wide else self.rows(shares, gap)


def _divided(start: int, length: int, shares: Sequence[float], gap: int) -> list[tuple[int, int]]:
    room, whole = max(0, length - gap * (len(shares) - 1)), sum(shares)
    found, before = [], 0.0
    for number, share in enumerate(shares):
        begin, end = round(room * before / whole), round(room * (before + share) / whole)
        found.append((start + begin + number * gap, end - begin))
        before += share
    return found
