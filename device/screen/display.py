"""What a display is to the rest of the device, and what each kind of display declares about itself."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from device.screen.navigation.inputs import Input
from smear.registry import Spec

DEFAULT_SIZE = (800, 480)  # width, height of the Pi's 7 inch touch screen
DEFAULT_PNG = Path("screen.png")


class Display(Protocol):
    """Something that shows composed screens, opened by name with `device.screen.displays.open_display`."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels of the screens to be shown; may change while it is open.

        A display that knows how fine it is has `dots_per_inch` too; one that shows thirty pictures a second is `fluid`.
        """
        ...

    def show(self, screen: np.ndarray) -> None:
        """Show RGB uint8 (height, width, 3).

        Raises:
            DisplayError: the screen was lost.
        """
        ...

    def inputs(self) -> list[Input]:
        """Return what was touched, pressed and typed since the last call, in its order.

        Raises:
            KeyboardInterrupt: the user closed the window or pressed Ctrl-Q.
        """
        ...

    def close(self) -> None:
        """Release the screen; safe to call twice."""
        ...


@dataclass(frozen=True, slots=True)
class DisplayRequest:
    """How a display is to be opened."""

    target: str = ""  # what follows the colon in its name
    size: tuple[int, int] = DEFAULT_SIZE  # a display that fills the screen has its own
    png_path: Path = DEFAULT_PNG  # of a display that writes a picture and is given no target


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplayKind(Spec):
    """One kind of display: how it is opened, and what it needs."""

    open: Callable[[DisplayRequest], Display]
    takes_target: bool = False  # its name may go on after a colon, as in png:PATH
    module: str = ""  # the Python module it needs; empty: none of its own
    extra: str = ""  # of smearscope, which installs the module
