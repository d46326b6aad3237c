"""The four classes a field may resemble, their order in every tensor, and their colours on every screen."""

from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, slots=True)
class FieldClass:
    """One class of the data set of Aria et al. (2021)."""

    name: str  # as the data set's folder and every JSON key
    title: str  # as people read it
    colour: tuple[int, int, int]  # RGB; from the Okabe-Ito palette, which colour-blind people can distinguish
    malignant: bool
    letter: str  # on every screen beside the colour, which is never alone


FIELD_CLASSES: tuple[FieldClass, ...] = (
    FieldClass("Benign", "Benign (hematogones)", (0, 158, 115), False, "B"),
    FieldClass("Early", "Early Pre-B", (230, 159, 0), True, "E"),
    FieldClass("Pre", "Pre-B", (86, 180, 233), True, "P"),
    FieldClass("Pro", "Pro-B", (204, 121, 167), True, "R"),
)
LABELS: tuple[str, ...] = tuple(c.name for c in FIELD_CLASSES)


def by_name(name: str) -> FieldClass:
    """Return the class called `name`.

    Raises:
        KeyError: no class has that name.
    """
    return _BY_NAME[name]


def meant_by(folder: str) -> str | None:
    """Return the class that a `folder` of labelled fields must mean, by name or title, misspelt or not; else None."""
    known = {text.lower(): each.name for each in FIELD_CLASSES for text in (each.name, each.title)}
    close = get_close_matches(folder.lower(), known, 1, 0.7)
    return known[close[0]] if close else None


_BY_NAME = {c.name: c for c in FIELD_CLASSES}
