"""Who examines: this process, or several; batches of tasks go out, their results come back in the order given."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from itertools import islice
from multiprocessing.connection import wait
from multiprocessing.process import parent_process
from typing import Any, Generic, Protocol, TypeVar

from device.archive.examiner import Examiner, Job
from smear.errors import SmearscopeError

T = TypeVar("T")
R = TypeVar("R")
Work = Callable[[Examiner, Sequence[T]], list[R]]
"""A method of `Examiner`, which takes a batch and returns a result for each of it."""

KILLED = "the process that examined it was killed, twice: it may need more memory than there is, or crash a decoder"
_BATCH = 4  # pictures: sending one alone costs this process 2 % of what examining it costs another
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


class ProcessPool:
    """Examines in `count` processes of this machine."""

    batch = _BATCH

    def __init__(self, job: Job, count: int) -> None:
        one_thread = replace(job.choice, threads=job.choice.threads or 1)  # the cores are for the processes
        self._job, self._count = replace(job, choice=one_thread), count
        self.window = 2 * count
        self._pool = self._started()

    def send(self, work: Work[T, R], tasks: list[T]) -> Sent[T]:
        """See `Workers`."""
        try:
            return Sent(tasks, self._pool.submit(_work, work, tasks))
        except BrokenProcessPool as error:  # one died since; `take` goes on from here
            return Sent(tasks, failed(error))

    def take(self, work: Work[T, R], sent: deque[Sent[T]]) -> Iterator[tuple[T, R | Lost]]:
        """See `Workers`; a killed process takes every batch with it, and which task it was nobody knows."""
        first = sent.popleft()
        try:
            results = first.future.result()
        except BrokenProcessPool:
            suspects = [first, *sent]
            sent.clear()
            self._restart()
            for task in [task for each in suspects for task in each.tasks]:
                alone: R | Lost = self._alone(work, task)
                yield task, alone
        else:
            yield from zip(first.tasks, results, strict=True)

    def close(self) -> None:
        """See `Workers`."""
        self._pool.shutdown(cancel_futures=True)

    def _alone(self, work: Work[T, R], task: T) -> R | Lost:
        try:
            return self._pool.submit(_work, work, [task]).result()[0]
        except BrokenProcessPool:
            self._restart()
            return Lost(KILLED)

    def _restart(self) -> None:
        self._pool.shutdown()
        self._pool = self._started()

    def _started(self) -> ProcessPoolExecutor:
        # Not forked: the runtime and OpenCV have threads, which a fork leaves behind with their locks.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self._count, context, _begin, (self._job,))


def failed(error: Exception) -> Future[Any]:
    """Return in place of a future what could not be sent because of `error`."""
    future: Future[Any] = Future()
    future.set_exception(error)
    return future


def usable_workers() -> int:
    """Return how many processes this machine has cores and memory for."""
    import psutil  # here: who names a number needs none

    return max(1, min(len(os.sched_getaffinity(0)), psutil.virtual_memory().available // _WORKER_BYTES))


_examiner: Examiner | SmearscopeError | None = None  # of this process, where it is a worker


def _begin(job: Job) -> None:
    """Make this process a worker."""
    global _examiner
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of a terminal; the first one decides
    try:
        _examiner = Examiner(job)
    except SmearscopeError as error:
        _examiner = error  # raised by the first batch, which has a way to say so
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process with its parent, whose death it would else never notice."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _work(work: Work[T, R], tasks: list[T]) -> list[R]:
    if not isinstance(_examiner, Examiner):
        assert _examiner is not None
        raise _examiner
    return work(_examiner, tasks)
