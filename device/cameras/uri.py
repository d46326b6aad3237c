"""The parts of a camera's name: kind, target and options, as in `simulated:7?class=Pre`; and what none may hold."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qsl

from pydantic import AfterValidator

from smear.errors import CameraError

# A user name, and whatever may be a password before an `@`: also one with a `/` in it, which is no port.
_USER = re.compile(r"(?<=:)//(?:[^/?#]*|(?!\[)[^@/?#]*:(?!\d+[/?#])[^@]*)@")
_SECRET = re.compile(r"((?:pass|pwd|psw|pas|token|auth|secret|key)[a-z]*=)([^&/?#]+)", re.IGNORECASE)
_PLACEHOLDERS = ("{user}", "{password}")


@dataclass(frozen=True, slots=True)
class CameraName:
    """A camera's name, split into its parts."""

    text: str  # as it was given: shown on the screen and stored in records
    kind: str
    target: str
    options: dict[str, str] = field(default_factory=dict)

    def require_options(self, known: Iterable[str]) -> None:
        """Refuse options that this kind of camera does not have.

        Raises:
            CameraError: an option is not in `known`.
        """
        for option in self.options:
            if option not in known:
                allowed = ", ".join(known) or "none"
                raise CameraError(f"camera {self.text!r}: option {option!r} is not known; allowed here: {allowed}")


def parse_name(name: str) -> CameraName:
    """Split `kind:target?option=value&...`.

    A `?` belongs to the target where that is an address (`http://...?...`) or an existing file.

    Raises:
        CameraError: it holds a password; everything that names the camera would show it.
    """
    try:
        plain_name(name)
    except ValueError as error:
        raise CameraError(f"camera {without_credentials(name)}: {error}") from None
    kind, _, rest = name.partition(":")
    target, question, query = rest.partition("?")
    if not question or target.startswith("//") or "://" in target or Path(rest).exists():
        return CameraName(name, kind, rest)
    return CameraName(name, kind, target, dict(parse_qsl(query, keep_blank_values=True)))


def plain_name(name: str) -> str:
    """Return `name`, which holds no password.

    Raises:
        ValueError: it does.
    """
    if without_credentials(name) != name:
        raise ValueError(
            "leave user name and password out of the address, where `ps` and each record show them; "
            "see 'smearscope cameras allow --help' for the file that they belong in"
        )
    return name


PlainName = Annotated[str, AfterValidator(plain_name)]
"""The type of a setting that names a camera."""


def without_credentials(name: str) -> str:
    """Return `name` without what may be a password: before an `@`, or a value such as that of `pwd=` in an address."""
    if "://" not in name:
        return name
    bare = _USER.sub("//", name)
    return _SECRET.sub(lambda found: found[0] if found[2].startswith(_PLACEHOLDERS) else found[1], bare)
