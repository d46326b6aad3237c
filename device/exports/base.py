"""What all exports share."""

from collections.abc import Callable

Step = Callable[[], None]
"""Called after each field, for a progress bar."""
