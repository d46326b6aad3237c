"""Several machines: the workers of a Dask scheduler, each sent the bundle once, and whatever is lost sent again."""

import hashlib
import logging
import statistics
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from typing import Any

from distributed import Client, KilledWorker, get_worker, wait
from distributed.client import ClosedClientError
from distributed.diagnostics.plugin import WorkerPlugin

from device.archive.examiner import Examiner, Job
from device.archive.workers import KILLED, Lost, R, Sent, T, Work, failed
from device.model_choice import bundle_path, use_of
from device.site.watch import SiteWatch
from smear import __version__
from smear.bundle.folder import load_bundle
from smear.bundle.manifest import CHECKSUM, MANIFEST
from smear.bundle.signing import load_signed_bundle
from smear.errors import BundleError, SmearscopeError
from smear.output_files import OutputFolder
from smear.site import CameraProfile, SiteStatus

_PROFILER = ("profile", "profile-cycle")  # of Dask: it holds on to a frame's arrays, at which LiteRT refuses to work
_BATCH = 32  # pictures: at 15 ms each a task takes half a second, and a scheduler does some thousands of tasks a second
_BATCHES_A_THREAD = 3  # one that runs, two that wait
_FIRST_PATIENCE_S = 30  # for the scheduler of a new run
_PATIENCE_S = 600  # for one that was there before, and is being restarted
_STRAGGLER_S, _STRAGGLER_TIMES = 60, 10  # a batch is sent again after both: that long, and as many times the median
_LOST = (CancelledError, ClosedClientError, OSError)  # what a call comes to when the scheduler is gone


class _FixedSite:
    """The site's certificate as it was when the run began: a worker has no data folder."""

    def __init__(self, status: SiteStatus) -> None:
        self._status = status

    def status(self, profile: CameraProfile | None) -> SiteStatus:
        return self._status


class ExaminerPlugin(WorkerPlugin):  # type: ignore[misc]  # Dask has no types
    """What a worker needs for one job: the bundle's files, checked there before they are used.

    Its name is that of the job, so that no run of other models or settings takes its place on the workers.
    """

    def __init__(self, job: Job) -> None:
        """Pack the bundle of `job`.

        Raises:
            BundleError: it is damaged, or not signed as the settings want.
        """
        settings = job.settings
        path, key = bundle_path(settings, job.data, job.choice.bundle), settings.model.require_signature
        bundle = load_signed_bundle(path, key)
        self._version, self._sha256 = __version__, bundle.sha256
        self._files = {name: bundle.read(name) for name in bundle.checksums}
        self._files |= {name: (bundle.path / name).read_bytes() for name in (MANIFEST, CHECKSUM)}
        self._site = _FixedSite(SiteWatch(job.data, bundle.sha256).status(None))
        unsigned = settings.model_copy(update={"model": settings.model.model_copy(update={"require_signature": None})})
        # Checked here is the signature, there the checksum; the level is the one that was picked here.
        level: Any = use_of(settings, job.data, bundle.sha256, job.choice).level
        choice = replace(job.choice, level=level, threads=job.choice.threads or 1)
        self._job = replace(job, settings=unsigned, data=None, choice=choice)
        whole = repr((self._version, self._sha256, self._site.status(None), self._job))
        self.name = f"smearscope-{hashlib.sha256(whole.encode()).hexdigest()}"
        self._is_ready = False

    def setup(self, worker: Any) -> None:
        """Write the bundle beside the worker's own files and check it; see `WorkerPlugin`.

        Raises:
            BundleError: it did not arrive as it was sent.
            SmearscopeError: another version works there.
        """
        if __version__ != self._version:
            raise SmearscopeError(f"worker {worker.address} has smearscope {__version__}, not {self._version}")
        for name in _PROFILER:
            if name in worker.periodic_callbacks:
                worker.periodic_callbacks.pop(name).stop()
        self._folder = Path(worker.local_directory) / f"smearscope-{self._sha256}"
        with OutputFolder(self._folder, create=True) as folder:
            for name, content in self._files.items():
                folder.write(name, content)
        if load_bundle(self._folder).sha256 != self._sha256:
            raise BundleError(f"worker {worker.address}: another bundle arrived than was sent")
        self._lock = threading.Lock()  # a worker may have several threads, and the models are one
        self._examiner: Examiner | None = None
        self._is_ready = True

    def work(self, work: Work[T, R], tasks: list[T]) -> list[R]:
        """Do `work`, with models that are opened by the first batch: its fault reaches who sent it.

        Raises:
            SmearscopeError: `setup` failed on this worker, which joined during the run.
        """
        if not self._is_ready:
            raise SmearscopeError(
                f"worker {get_worker().address} could not be set up, as its log says; stop it or mend it (it needs "
                f"smearscope {self._version} and some disk space), and go on with --resume"
            )
        with self._lock:
            if self._examiner is None:
                self._examiner = Examiner(self._job, self._folder, self._site)
            return work(self._examiner, tasks)


class Cluster:
    """Examines with the workers of a scheduler; see `device.archive.workers.Workers`."""

    batch = _BATCH

    def __init__(self, job: Job, address: str) -> None:
        """Connect to `address`, such as tcp://host:8786.

        Raises:
            SmearscopeError: there is no scheduler, or a worker cannot take the bundle.
        """
        for name in ("distributed", "distributed.client"):  # what matters of theirs is an exception here, and retried
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._address, self._plugin = address, ExaminerPlugin(job)
        self._took_s: deque[float] = deque([0.0], maxlen=100)
        self._client = self._connected(_FIRST_PATIENCE_S)

    @property
    def threads(self) -> int:
        """How many threads the workers have now; they may come and go."""
        try:
            return sum(self._client.nthreads().values())
        except _LOST:
            return 0

    @property
    def window(self) -> int:
        """Enough batches for all threads that are there now."""
        return _BATCHES_A_THREAD * max(1, self.threads)

    def send(self, work: Work[T, R], tasks: list[T]) -> Sent[T]:
        """See `Workers`."""
        return Sent(tasks, self._submitted(work, tasks), self._client)

    def take(self, work: Work[T, R], sent: deque[Sent[T]]) -> Iterator[tuple[T, R | Lost]]:
        """See `Workers`: the scheduler gives a lost worker's batches to others; of a lost scheduler all are resent."""
        first = sent[0]
        while True:
            try:
                results: list[R] = self._result(work, first)
            except KilledWorker:  # it ended every worker that was given it: one of its tasks does that
                sent.popleft()
                for task in first.tasks:
                    alone: R | Lost = self._alone(work, task)
                    yield task, alone
                return
            except _LOST:
                if first.by is self._client:  # else another stage of the run has reconnected since
                    self._reconnect()
                for each in sent:
                    if each.by is not self._client:
                        each.future, each.by = self._submitted(work, each.tasks), self._client
            else:
                sent.popleft()
                yield from zip(first.tasks, results, strict=True)
                return

    def close(self) -> None:
        """See `Workers`; the scheduler and its workers stay."""
        self._client.close(timeout=5)

    def _submitted(self, work: Work[T, R], tasks: list[T], **where: Any) -> Any:
        try:
            return self._client.submit(_work, self._plugin.name, work, tasks, pure=False, **where)
        except _LOST as error:
            return failed(error)

    def _result(self, work: Work[T, R], first: Sent[T]) -> list[R]:
        """Wait for the batch; one that takes far longer than others is given to a second worker as well."""
        copies, began_s = [first.future], time.monotonic()
        while not any(copy.done() for copy in copies):
            try:
                wait(copies, max(_STRAGGLER_S, _STRAGGLER_TIMES * statistics.median(self._took_s)), "FIRST_COMPLETED")
            except TimeoutError:
                busy = self._client.processing()
                idle = [worker for worker, keys in busy.items() if not {copy.key for copy in copies} & set(keys)]
                if idle and len(idle) < len(busy):  # a batch that nobody has waits for workers
                    copies.append(self._submitted(work, first.tasks, workers=idle, allow_other_workers=True))
        results: list[R] = next(copy for copy in copies if copy.done()).result()
        self._took_s.append(time.monotonic() - began_s)
        return results

    def _alone(self, work: Work[T, R], task: T) -> R | Lost:
        while True:
            try:
                results: list[R] = self._submitted(work, [task]).result()
            except KilledWorker:
                return Lost(KILLED)
            except _LOST:
                self._reconnect()
            else:
                return results[0]

    def _reconnect(self) -> None:
        self._client.close(timeout=5)
        self._client = self._connected(_PATIENCE_S)

    def _connected(self, patience_s: float) -> Any:
        try:
            client = Client(self._address, timeout=patience_s)
            client.register_plugin(self._plugin)
        except ModuleNotFoundError as error:
            raise SmearscopeError(
                f"a worker of {self._address} lacks {error.name!r}; run pip install 'smearscope[cluster]' there"
            ) from error
        except ValueError as error:
            raise SmearscopeError(f"--scheduler {self._address}: {error}; give tcp://HOST:8786") from error
        except _LOST as error:
            raise SmearscopeError(
                f"no scheduler answers at {self._address}; start it with 'dask scheduler', or check the address"
            ) from error
        return client


def _work(name: str, work: Work[T, R], tasks: list[T]) -> list[R]:
    plugin: Any = get_worker().plugins[name]
    results: list[R] = plugin.work(work, tasks)
    return results
