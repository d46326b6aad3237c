"""Names that people type: one line on the screen, in a table and in a file."""

from collections.abc import Callable, Mapping

from smear.errors import StoreError

MAX_CHARACTERS = 80
MAX_OPERATOR = 40
MAX_NOTE = 500
LAST_NUMBER = 2**63 - 1  # that a database can hold


def checked_name(name: str) -> str:
    """Return the name of a slide without blanks around it.

    Raises:
        StoreError: it is empty or too long, or holds characters that move the cursor, end a line or are no text.
    """
    return checked_text("a slide's name", name)


def checked_operator(name: str) -> str:
    """Return the name of an operator without blanks around it.

    Raises:
        StoreError: as for `checked_name`.
    """
    return checked_text("an operator's name", name, MAX_OPERATOR)


def checked_text(what: str, text: str, longest: int = MAX_CHARACTERS, shortest: int = 1) -> str:
    """Return `text` without blanks around it; `what` is what an error calls it.

    Raises:
        StoreError: as for `checked_name`.
    """
    found = text.strip()
    if not shortest <= len(found) <= longest or not found.isprintable():
        raise StoreError(f"{what} has {shortest} to {longest} printable characters; choose another one")
    return found


def not_there(what: str, name: object, where: str = "") -> StoreError:
    """Return the error that there is no such slide, field or cell (`what`); `where` is " in ..."."""
    return StoreError(f"no {what} {name}{where}; {_LISTED_BY[what]}")


_LISTED_BY = {
    "slide": "'smearscope slides list' shows what there is",
    "field": "'smearscope slides show' lists a slide's fields",
    "cell": "'smearscope cells list SLIDE' shows the cells of a slide",
}
DETAILS: Mapping[str, Callable[[str], str]] = {
    "operator": lambda text: checked_text("an operator's name", text, MAX_OPERATOR, 0),
    "stain": lambda text: checked_text("a stain", text, shortest=0),
    "specimen": lambda text: checked_text("a specimen", text, shortest=0),
    "note": lambda text: checked_text("a note", text, MAX_NOTE, 0),
}
"""What may be said of a slide besides its name, each with its check; "" says nothing."""
