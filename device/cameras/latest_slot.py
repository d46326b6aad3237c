"""One slot that holds only the newest thing a thread has made: nothing queues."""

import threading
import time
from typing import Generic, TypeVar

from smear.errors import SmearscopeError

T = TypeVar("T")


class LatestSlot(Generic[T]):
    """Hands each value out at most once, always the newest; a failure is handed out after the last value."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._value: T | None = None
        self._put_at_s = 0.0
        self._failure: SmearscopeError | None = None

    def put(self, value: T) -> None:
        """Replace what is in the slot."""
        with self._changed:
            self._value = value
            self._put_at_s = time.monotonic()
            self._changed.notify_all()

    def fail(self, failure: SmearscopeError) -> None:
        """Say that no more values will come, and why."""
        with self._changed:
            self._failure = failure
            self._changed.notify_all()

    def take(self, timeout_s: float, max_age_s: float) -> T:
        """Return the newest value not taken yet, waiting for one; what is older than `max_age_s` is thrown away.

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
                    raise self._failure.with_traceback(None)  # asked again and again: else its traceback grows
                remaining_s = deadline_s - time.monotonic()
                if remaining_s <= 0:
                    raise TimeoutError
                self._changed.wait(remaining_s)
