"""The parts of a camera's name: kind, target and options, as in `simulated:7?class=Pre`."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl

from smear.errors import CameraError


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

    A `?` belongs to the target where that is the address of a stream (`v4l2:http://...?...`) or an existing file.
    """
    kind, _, rest = name.partition(":")
    target, question, query = rest.partition("?")
    if not question or "://" in rest or Path(rest).exists():
        return CameraName(name, kind, rest)
    return CameraName(name, kind, target, dict(parse_qsl(query, keep_blank_values=True)))
