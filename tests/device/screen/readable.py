"""Whether a person can read what is written on a screen."""

from collections.abc import Sequence
from itertools import combinations

from device.screen.drawing.canvas import Written
from device.screen.drawing.text import LEAST_PX


def unreadable(written: Sequence[Written]) -> list[str]:
    """Return the texts that are cut, too small or outside their room, and pairs that lie on one another."""
    found = [each.text for each in written if not each.whole or each.px < LEAST_PX]
    for each in written:
        room = each.room
        inside = (line.x >= room.x and line.x + line.width <= room.x + room.width for line in each.boxes)
        if not all(inside) or any(line.y < room.y - 1 for line in each.boxes):
            found.append(f"{each.text} leaves its room")
    lines = [(each.text, line) for each in written for line in each.boxes]
    for (one, a), (other, b) in combinations(lines, 2):
        apart = a.x + a.width <= b.x or b.x + b.width <= a.x or a.y + a.height <= b.y + 1 or b.y + b.height <= a.y + 1
        if not apart:
            found.append(f"{one} lies on {other}")
    return found
