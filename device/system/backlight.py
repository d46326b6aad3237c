"""The brightness of the screen's backlight, where the kernel has one that this program may set."""

import os
from pathlib import Path

from smear.errors import SmearscopeError

FOLDER = Path("/sys/class/backlight")


def brightness(folder: Path = FOLDER) -> float | None:
    """Return it as a share of the most, 0 to 1; None: there is none that this program may set."""
    most = next(iter(sorted(folder.glob("*/max_brightness"))), None)
    if most is None or not os.access(now := most.with_name("brightness"), os.W_OK):
        return None
    try:
        return int(now.read_text()) / int(most.read_text())
    except (OSError, ValueError, ZeroDivisionError):  # a driver that does not answer
        return None


def set_brightness(share: float, folder: Path = FOLDER) -> None:
    """Make it `share` of the most, 0 to 1.

    Raises:
        SmearscopeError: it cannot be set.
    """
    try:
        for most in sorted(folder.glob("*/max_brightness")):
            most.with_name("brightness").write_text(str(round(share * int(most.read_text()))))
    except (OSError, ValueError) as error:
        raise SmearscopeError(f"the backlight cannot be set: {error}; see the permissions of {folder}") from error
