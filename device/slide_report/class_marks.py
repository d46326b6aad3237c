"""How a class of cells looks in a report: its letter, and a colour that never stands alone."""

from collections.abc import Iterable
from dataclasses import dataclass

from device.counting.cell_classes import CellClass
from device.counting.class_colours import UNCLASSIFIED, Colour, class_colours

_DARK, _LIGHT = "#1b2129", "#ffffff"
_MIDDLE = 125  # of 255: on a colour this dark or darker, white letters read better


@dataclass(frozen=True, slots=True)
class ClassMark:
    """The mark of one class."""

    name: str
    key: str
    colour: Colour
    css: str  # class of its elements in the page

    @property
    def background(self) -> str:
        """The colour in CSS."""
        return "#{:02x}{:02x}{:02x}".format(*self.colour)

    @property
    def text(self) -> str:
        """The colour of a letter on it, in CSS."""
        red, green, blue = self.colour
        return _LIGHT if 0.299 * red + 0.587 * green + 0.114 * blue <= _MIDDLE else _DARK


def class_marks(classes: Iterable[CellClass], others: Iterable[str] = ()) -> dict[str | None, ClassMark]:
    """Return the mark of each of `classes` by name, and at None that of a cell that nobody classified.

    `others` are names that the settings no longer have.
    """
    known = tuple(classes)
    colours = class_colours(known)
    marks: dict[str | None, ClassMark] = {
        each.name: ClassMark(each.name, each.key, colours[each.name], f"k{number}") for number, each in enumerate(known)
    }
    gone = {name: ClassMark(name, "?", colours[UNCLASSIFIED], "none") for name in others if name not in marks}
    return marks | gone | {None: ClassMark("not classified", "–", colours[UNCLASSIFIED], "none")}
