"""What a display is to the rest of the device."""

from typing import Protocol

import numpy as np


class Display(Protocol):
    """Something that shows composed screens, opened by name with `device.screen.displays.open_display`."""

    size: tuple[int, int]  # width, height in pixels

    def show(self, screen: np.ndarray) -> None:
        """Show RGB uint8 (height, width, 3).

        Raises:
            DisplayError: the screen was lost.
        """
        ...

    def taps(self) -> list[tuple[int, int]]:
        """Return x, y of every tap or click since the last call.

        Raises:
            KeyboardInterrupt: the user closed the window or pressed Escape.
        """
        ...

    def close(self) -> None:
        """Give the screen back; safe to call twice."""
        ...
