"""The colour of each class of cells, the same on the screen, in reports and in every export."""

from collections.abc import Iterable

from device.counting.cell_classes import CellClass, Role

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

UNCLASSIFIED = "unclassified"
"""The name of no class, where a file wants one."""

# Ten colours that people with each kind of colour blindness can distinguish: Petroff (2021), arXiv:2107.02270.
_PALETTE: tuple[Colour, ...] = (
    (63, 144, 218), (255, 169, 14), (189, 31, 1), (148, 164, 162), (131, 45, 182), (169, 107, 89), (231, 99, 0),
    (185, 172, 112), (113, 117, 129), (146, 218, 221),
)  # fmt: skip
_OF_ROLE: dict[Role, Colour] = {Role.ARTEFACT: (0, 0, 0), Role.UNIDENTIFIED: (255, 255, 102)}
_WHITE: Colour = (255, 255, 255)


def class_colours(classes: Iterable[CellClass]) -> dict[str, Colour]:
    """Return the colour of each class by name, and that of `UNCLASSIFIED`.

    Classes of cells take the palette in their order, from the eleventh on again from its beginning. A class that the
    settings no longer have is in no mapping; draw it like an unclassified cell, and give its name.
    """
    found, taken = {UNCLASSIFIED: _WHITE}, 0
    for each in classes:
        if each.role in _OF_ROLE:
            found[each.name] = _OF_ROLE[each.role]
        else:
            found[each.name] = _PALETTE[taken % len(_PALETTE)]
            taken += 1
    return found
