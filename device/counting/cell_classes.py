"""The classes that a person sorts cells into; the network's four are classes of fields and never stand for these."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from string import ascii_lowercase, digits
from typing import ClassVar

from pydantic import ConfigDict

from smear.classes import LABELS
from smear.errors import StoreError
from smear.output_files import printable

MAX_NAME = 40  # characters
DEFAULT_TARGET = 200  # leukocytes to count


class Role(StrEnum):
    """How a class enters a differential count; see `device.counting.differential`."""

    LEUKOCYTE = "leukocyte"  # one of the 100 %
    BESIDE = "beside"  # reported per 100 leukocytes, as smudge cells and nucleated red cells are
    ARTEFACT = "artefact"  # no cell: not counted
    UNIDENTIFIED = "unidentified"  # a leukocyte to come back to: one of the 100 %, and the count is not complete


@dataclass(frozen=True, slots=True)
class CellClass:
    """One class of cells."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: str
    key: str  # one letter or digit that gives a cell this class
    role: Role = Role.LEUKOCYTE
    teaches: str | None = None  # the class of fields that such a cell is an example of


DEFAULT_CLASSES = (
    CellClass("blast", "b"),
    CellClass("hematogone", "h", teaches="Benign"),
    CellClass("lymphocyte", "l"),
    CellClass("segmented neutrophil", "n"),
    CellClass("band neutrophil", "a"),
    CellClass("monocyte", "m"),
    CellClass("eosinophil", "e"),
    CellClass("basophil", "p"),
    CellClass("smudge cell", "s", Role.BESIDE),
    CellClass("nucleated red cell", "r", Role.BESIDE),
    CellClass("artefact", "x", Role.ARTEFACT),
    CellClass("unidentified", "u", Role.UNIDENTIFIED),
)


def checked_classes(classes: Iterable[CellClass]) -> tuple[CellClass, ...]:
    """Return `classes` as they are.

    Raises:
        ValueError: a name or key is given twice or cannot be used, or none is a leukocyte or none is unidentified.
    """
    found = tuple(classes)
    for each in found:
        if not each.name.isprintable() or each.name != each.name.strip() or not 0 < len(each.name) <= MAX_NAME:
            raise ValueError(f"a class has a name of 1 to {MAX_NAME} printable characters, not {each.name!r}")
        if len(each.key) != 1 or each.key not in ascii_lowercase + digits:
            raise ValueError(f"the key of {each.name} must be one small letter or digit, not {each.key!r}")
        if each.teaches not in {None, *LABELS}:
            raise ValueError(
                f"{each.name} cannot teach {each.teaches!r}; the classes of fields are {', '.join(LABELS)}"
            )
    for what, values in (("name", [each.name for each in found]), ("key", [each.key for each in found])):
        if doubled := [value for value, n in Counter(values).items() if n > 1]:
            raise ValueError(f"{what} {doubled[0]!r} is given to several classes; each needs its own")
    for role in (Role.LEUKOCYTE, Role.UNIDENTIFIED):
        if all(each.role != role for each in found):
            raise ValueError(f"no class has the role {role.value!r}; a count needs one")
    return found


def class_called(classes: Iterable[CellClass], text: str) -> CellClass:
    """Return the class whose name, in any case, or whose key is `text`.

    Raises:
        StoreError: there is none.
    """
    found = tuple(classes)
    wanted = text.strip().casefold()
    for each in found:
        if wanted in {each.name.casefold(), each.key}:
            return each
    names = ", ".join(f"{each.name} ({each.key})" for each in found)
    raise StoreError(f"no class of cells is called {printable(text)!r}; choose one of: {names}")
