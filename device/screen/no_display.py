"""The display `none`: shows nothing."""

import numpy as np

from device.screen.display import DEFAULT_SIZE, DisplayKind


class NoDisplay:
    """Shows nothing, and keeps the last screen for tests."""

    def __init__(self, size: tuple[int, int] = DEFAULT_SIZE) -> None:
        self.size = size
        self.last: np.ndarray | None = None

    def show(self, screen: np.ndarray) -> None:
        """Keep the screen."""
        self.last = screen

    def taps(self) -> list[tuple[int, int]]:
        """Return no taps: there is nothing to tap."""
        return []

    def close(self) -> None:
        """Do nothing: no hardware is held."""


KIND = DisplayKind(name="none", help="shows nothing", open=lambda request: NoDisplay(request.size))
