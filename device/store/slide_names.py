"""Names of slides: one line on the screen, in a table and in a file."""

from smear.errors import StoreError

MAX_CHARACTERS = 80


def checked_name(name: str) -> str:
    """Return `name` without blanks around it.

    Raises:
        StoreError: it is empty or too long, or holds characters that move the cursor, end a line or are no text.
    """
    found = name.strip()
    if not found or len(found) > MAX_CHARACTERS or not found.isprintable():
        raise StoreError(f"a slide's name has 1 to {MAX_CHARACTERS} printable characters; choose another name")
    return found
