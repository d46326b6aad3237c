"""Several processes of this machine that examine, none of which takes the others with it when it is killed."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing.connection import wait
from multiprocessing.process import parent_process

from device.archive.examiner import Examiner, Job
from device.archive.workers import KILLED, Lost, R, Sent, T, Work, failed
from smear.errors import SmearscopeError

_BATCH = 4  # pictures: sent one by one they cost this process 0.18 ms each, by fours 0.04


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
            return Sent(tasks, self._submitted(work, tasks))
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
        try:
            self._pool.shutdown(cancel_futures=True)
        except KeyboardInterrupt:  # again: a wait that is broken off here is never ended, and holds up the exit
            for process in multiprocessing.active_children():
                process.kill()
            raise

    def _alone(self, work: Work[T, R], task: T) -> R | Lost:
        try:
            return self._submitted(work, [task]).result()[0]
        except BrokenProcessPool:
            self._restart()
            return Lost(KILLED)

    def _submitted(self, work: Work[T, R], tasks: list[T]) -> Future[list[R]]:
        """Submit with Ctrl-C, which a terminal sends to all processes, held back: those that start now inherit that."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return self._pool.submit(_work, work, tasks)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

    def _restart(self) -> None:
        self._pool.shutdown()
        self._pool = self._started()

    def _started(self) -> ProcessPoolExecutor:
        # Not forked: the runtime and OpenCV have threads, which a fork leaves behind with their locks.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self._count, context, _begin, (self._job,))


_examiner: Examiner | SmearscopeError | None = None  # of this process, where it is a worker


def _begin(job: Job) -> None:
    """Make this process a worker."""
    global _examiner
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
