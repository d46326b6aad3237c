"""Milliseconds by stage."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stopwatch:
    """Times the stages of one frame in the order in which they run."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` gives seconds that never jump back, such as `time.perf_counter`."""
        self._clock = clock
        self._stages: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what runs inside as `name`; a stage that runs twice adds up."""
        started = self._clock()
        yield
        self._stages[name] = self._stages.get(name, 0.0) + (self._clock() - started) * 1000.0

    def timing_ms(self) -> dict[str, float]:
        """Return milliseconds by stage, and their sum as "total"."""
        return {**self._stages, "total": sum(self._stages.values())}
