"""Measures many variants in turn, so that other load on the machine affects all of them alike."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from benchmarks.progress import OnProgress, ignore_progress
from benchmarks.schema import BenchmarkError, Latency, Ratio

ROOT = Path(__file__).parents[1]  # where workers and whole commands find the packages
WORKER = ROOT / "benchmarks" / "worker.py"
RESAMPLES = 2000  # of the bootstrap
MIN_PAIRED_ROUNDS = 3  # fewer give no useful interval


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure."""

    queries: int  # of each variant; MLPerf's SingleStream wants 1024
    seconds: float  # of each variant at most
    burst: int  # queries of one variant in its turn
    warm_s: float = 0.5  # as in TFLite's benchmark_model
    repeats: int = 5  # of frames in the end-to-end parts


QUICK = Effort(queries=64, seconds=2.0, burst=4, repeats=5)
FULL = Effort(queries=1024, seconds=60.0, burst=8, repeats=30)
OPENING_S = 2.0  # estimate for a process, its libraries and its model


@dataclass(frozen=True, slots=True)
class Spec:
    """What one worker is to open."""

    key: str
    kind: str  # of `benchmarks.worker.KINDS`
    request: Mapping[str, Any]
    python: Path = Path(sys.executable)


@dataclass(slots=True)
class Measured:
    """The measurements of one spec."""

    opened: dict[str, Any] = field(default_factory=dict)  # init_ms, first_ms, rss_mb, peak_mb
    rounds: list[list[float]] = field(default_factory=list)  # milliseconds; a variant that finished early has fewer
    fault: str = ""

    @property
    def queries(self) -> int:
        """How many queries were measured."""
        return sum(map(len, self.rounds))

    @property
    def times(self) -> NDArray[np.float64]:
        """The milliseconds of every query."""
        return np.array([ms for each in self.rounds for ms in each])


class Worker:
    """A process that runs `benchmarks/worker.py`."""

    def __init__(self, python: Path) -> None:
        try:
            # -P: the folder of the script must not hide modules of the standard library
            self._process = subprocess.Popen(
                [str(python), "-P", str(WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, text=True,
            )  # fmt: skip
        except OSError as error:
            raise BenchmarkError(f"{python}: {error.strerror}; give the interpreter of an environment") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._replies = self._process.stdin, self._process.stdout

    def ask(self, **request: Any) -> dict[str, Any]:
        """Return the worker's reply; a worker that ended replies with a fault."""
        try:
            self._requests.write(json.dumps(request) + "\n")
            self._requests.flush()
            line = self._replies.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            return {"fault": f"its process ended with code {self._process.wait()}"}
        reply: dict[str, Any] = json.loads(line)
        return reply

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(BrokenPipeError):  # it ended with a request unread
            self._requests.close()
        self._process.wait()
        self._replies.close()


def measure(specs: Sequence[Spec], effort: Effort, on_progress: OnProgress = ignore_progress) -> dict[str, Measured]:
    """Open every spec in a process of its own, warm it up, and let them take turns until each has enough queries."""
    found: dict[str, Measured] = {}
    workers: dict[str, Worker] = {}
    minutes = at_most_s(len(specs), effort) / 60
    with ExitStack() as stack:
        for spec in specs:
            on_progress(f"opening {spec.key}, one of {len(specs)}; {minutes:.0f} min at most", 0.0)
            worker = stack.enter_context(Worker(spec.python))
            reply = worker.ask(do="open", name=spec.key, kind=spec.kind, **spec.request)
            fault = reply.pop("fault", "")
            found[spec.key] = Measured(reply, fault=fault)
            if not fault:
                workers[spec.key] = worker
        _take_turns(workers, found, effort, on_progress)
    return found


def at_most_s(variants: int, effort: Effort) -> float:
    """Return the seconds that `measure` takes at most for so many variants, whatever the machine."""
    return variants * (OPENING_S + effort.warm_s + effort.seconds * 1.25)  # a burst may begin just before the end


def _take_turns(
    workers: dict[str, Worker], found: dict[str, Measured], effort: Effort, on_progress: OnProgress
) -> None:
    for key, worker in workers.items():
        on_progress(f"warming up {key}", 0.0)
        worker.ask(do="warm", name=key, seconds=effort.warm_s)
    waiting = list(workers)
    spent = dict.fromkeys(workers, 0.0)
    while waiting:
        for key in list(waiting):
            on_progress(f"{key}{_left(waiting, found, spent, effort)}", _done(found, spent, effort))
            started = time.perf_counter()
            reply = workers[key].ask(do="run", name=key, n=effort.burst, seconds=effort.seconds / 4)
            spent[key] += time.perf_counter() - started
            if "fault" in reply:
                found[key].fault = reply["fault"]
                waiting.remove(key)
                continue
            found[key].rounds.append(reply["ms"])
            out_of_time = spent[key] >= effort.seconds and len(found[key].rounds) >= MIN_PAIRED_ROUNDS
            if found[key].queries >= effort.queries or out_of_time:
                waiting.remove(key)
                found[key].opened |= workers[key].ask(do="peak", name=key)
        waiting = waiting[1:] + waiting[:1]  # no variant always follows the same one


def _done(found: dict[str, Measured], spent: dict[str, float], effort: Effort) -> float:
    shares = [max(found[key].queries / effort.queries, spent[key] / effort.seconds) for key in spent]
    return sum(min(1.0, share) for share in shares) / len(shares)


def _left(waiting: Sequence[str], found: dict[str, Measured], spent: dict[str, float], effort: Effort) -> str:
    """Return how long the unfinished variants will take, once each had a turn; "" before that."""
    if not all(found[key].rounds for key in waiting):
        return ""
    left = 0.0
    for key in waiting:
        remaining = spent[key] / found[key].queries * (effort.queries - found[key].queries)
        left += max(0.0, min(effort.seconds - spent[key], remaining))
    return f", about {left:.0f} s left"


def latency_of(times: Sequence[float] | NDArray[np.float64]) -> Latency:
    """Return the distribution of `times` in milliseconds, at least one."""
    values = np.asarray(times, float)
    p50, p90, p99 = np.percentile(values, (50, 90, 99))
    return Latency(
        n=len(values), min_ms=values.min(), p50_ms=p50, p90_ms=p90, p99_ms=p99, max_ms=values.max(),
        per_s=1e3 * len(values) / values.sum(),
    )  # fmt: skip


def row_values(found: Mapping[str, Measured], key: str, base: str) -> dict[str, Any]:
    """Return what a row of a result states of the variant `key`; its ratio is to `base`, where that was measured."""
    measured = found[key]
    ratio = ratio_of(measured, found[base], base) if base in found and key != base else None
    latency = latency_of(measured.times) if measured.queries else None
    return {**measured.opened, "latency": latency, "ratio": ratio, "fault": measured.fault}


def ratio_of(measured: Measured, base: Measured, to: str) -> Ratio | None:
    """Return how many times as long as `base` it takes, from rounds in which both had their turn; None with too few.

    It is the median over rounds of the ratio of medians, which one disturbed round hardly moves; the interval is a
    bootstrap over rounds.
    """
    rounds = min(len(measured.rounds), len(base.rounds))
    if rounds < MIN_PAIRED_ROUNDS:
        return None
    ratios = np.array(
        [np.median(ours) / np.median(theirs) for ours, theirs in zip(measured.rounds, base.rounds, strict=False)]
    )
    drawn = np.random.default_rng(0).integers(0, rounds, (RESAMPLES, rounds))
    low, high = np.percentile(np.median(ratios[drawn], axis=1), (2.5, 97.5))
    return Ratio(to=to, value=float(np.median(ratios)), low=float(low), high=float(high), rounds=rounds)
