"""Paths that people write: `~` at their beginning is a home, never a folder called `~`."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from smear.errors import SettingsError


def expand_home(path: Path) -> Path:
    """Return `path` with `~` or `~NAME` at its beginning as that user's home.

    Raises:
        ValueError: this user has no home, or there is no such user.
    """
    try:
        return path.expanduser()
    except RuntimeError:
        home = path.parts[0]
        raise ValueError(f"no home folder is known for {home}; write the path out, without {home}") from None


UserPath = Annotated[Path, AfterValidator(expand_home)]
"""The type of a setting that takes a path."""


def expand_given(path: Path, origin: str) -> Path:
    """Return `path` likewise; `origin` is the option or variable that it was given with.

    Raises:
        SettingsError: this user has no home, or there is no such user.
    """
    try:
        return expand_home(path)
    except ValueError as error:
        raise SettingsError(f"{origin} {path}: {error}") from None
