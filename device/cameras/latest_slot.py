"""One slot between two threads that holds only the newest value, so that nothing queues."""

import threading
import time
from typing import Generic, TypeVar

from smear.errors import SmearscopeError

T = TypeVar("T")


class LatestSlot(Generic[T]):
    """Hands out each value at most once, always the newest one; then the failure that ended them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._value: T | None = None
        self._put_at_s = 0.0
        self._failure: SmearscopeError | None = None

    def put(self, value: T) -> None:
        """Replace the value in the slot."""
        with self._changed:
            self._value = value
            self._put_at_s = time.monotonic()
            self._changed.notify_all()

    def fail(self, failure: SmearscopeError) -> None:
        """Record that no more values will come, and why."""
        with self._changed:
            self._failure = failure
            self._changed.notify_all()

    def take(self, timeout_s: float, max_age_s: float) -> T:
        """Wait for the newest value that was not taken yet and return it; a value older than `max_age_s` is dropped.

        Raises:
            TimeoutError: none came within `timeout_s`.
            SmearscopeError: the failure that ended the values.
        """
        deadline_s = time.monotonic() + timeout_s
        with self._changed:
            while True:
                value, self._value = self._value, None
                if value is not None and time.monotonic() - self._put_at_s <= max_age_s:
                    return value
                if self._failure is not None:
                    raise self._failure.with_traceback(None)  # raised repeatedly: its traceback would grow each time
                remaining_s = deadline_s - time.monotonic()
                if remaining_s <= 0:
                    raise TimeoutError
                self._changed.wait(remaining_s)
