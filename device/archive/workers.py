"""Who examines: batches of tasks go out, their results come back in the order given."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar

from device.archive.examiner import Examiner, Job

T = TypeVar("T")
R = TypeVar("R")
Work = Callable[[Examiner, Sequence[T]], list[R]]
"""A method of `Examiner`, which takes a batch and returns a result for each of it."""

KILLED = "the process that examined it was killed, twice: it may need more memory than there is, or crash a decoder"
_WORKER_BYTES = 500_000_000  # of a worker with a picture of 12 megapixels


@dataclass(frozen=True, slots=True)
class Lost:
    """In place of a result: the task ended whatever process was given it."""

    reason: str


@dataclass(slots=True)
class Sent(Generic[T]):
    """A batch on its way."""

    tasks: list[T]
    future: Any
    by: Any = None  # what it was sent through


class Workers(Protocol):
    """Where batches are examined."""

    batch: int  # tasks

    @property
    def window(self) -> int:
        """How many batches may be on their way: enough to keep all at work, few enough to stay in memory."""
        ...

    def send(self, work: Work[T, R], tasks: list[T]) -> Sent[T]:
        """Let somebody do `work` on `tasks`."""
        ...

    def take(self, work: Work[T, R], sent: deque[Sent[T]]) -> Iterator[tuple[T, R | Lost]]:
        """Wait for the first batch of `sent`, and remove it; where processes were lost, send others anew.

        Raises:
            SmearscopeError: what `work` raised.
        """
        ...

    def close(self) -> None:
        """End the workers; what has not begun is dropped."""
        ...


def in_order(workers: Workers, work: Work[T, R], tasks: Iterable[T]) -> Iterator[tuple[T, R | Lost]]:
    """Yield each of `tasks` with its result, in their order; only a window of them is ever in memory."""
    rest, sent = iter(tasks), deque[Sent[T]]()
    while batch := list(islice(rest, workers.batch)):
        sent.append(workers.send(work, batch))
        if len(sent) >= workers.window:
            yield from workers.take(work, sent)
    while sent:
        yield from workers.take(work, sent)


class ThisProcess:
    """Examines here, one by one: each result is there before the next picture is read."""

    batch, window = 1, 1

    def __init__(self, job: Job) -> None:
        self._examiner = Examiner(job)

    def send(self, work: Work[T, R], tasks: list[T]) -> Sent[T]:
        """See `Workers`."""
        return Sent(tasks, None)

    def take(self, work: Work[T, R], sent: deque[Sent[T]]) -> Iterator[tuple[T, R | Lost]]:
        """See `Workers`."""
        tasks = sent.popleft().tasks
        yield from zip(tasks, work(self._examiner, tasks), strict=True)

    def close(self) -> None:
        """See `Workers`."""
        self._examiner.close()


def failed(error: Exception) -> Future[Any]:
    """Return in place of a future what could not be sent because of `error`."""
    future: Future[Any] = Future()
    future.set_exception(error)
    return future


def usable_workers() -> int:
    """Return how many processes this machine has cores and memory for."""
    import psutil  # here: who names a number needs none

    return max(1, min(len(os.sched_getaffinity(0)), psutil.virtual_memory().available // _WORKER_BYTES))
