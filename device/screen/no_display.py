"""The display `none`: shows nothing."""

import numpy as np

from device.screen.display import DEFAULT_SIZE, DisplayKind
from device.screen.navigation.inputs import Input


class NoDisplay:
    """Shows nothing, and keeps the last screen for tests."""

    def __init__(self, size: tuple[int, int] = DEFAULT_SIZE) -> None:
        self.size = size
        self.last: np.ndarray | None = None

    def show(self, screen: np.ndarray) -> None:
        """Keep the screen."""
        self.last = screen

    def inputs(self) -> list[Input]:
        """Return nothing: there is nothing to touch."""
        return []

    def close(self) -> None:
        """Do nothing: no hardware is held."""


KIND = DisplayKind(name="none", help="shows nothing", open=lambda request: NoDisplay(request.size))
