"""Parts of a session that may fail or stall, and the supervisor that restarts them, reports why, or gives up.

Every part is one function in one thread. It reports what it does by its `Pulse`; a part over its deadline has stalled.
A thread cannot be cancelled: a stalled part that holds nothing the others need (a camera's driver) is abandoned and
replaced, one that does (a model in the middle of an inference) ends the process, and systemd starts a new one.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from device.session.active_faults import ActiveFaults
from device.system.clock import Clock
from smear.errors import SmearscopeError

_JOIN_S = 3.5  # for all parts together, of the five seconds a service has to stop


@dataclass(frozen=True, slots=True)
class Policy:
    """How often a part is started again."""

    first_s: float = 0.5  # until the first restart; doubled at each
    most_s: float = 5.0  # longest wait: someone who has plugged the camera in again watches the screen this long
    restarts: int = 5  # within `window_s`; one more ends the process
    window_s: float = 120.0
    steady_s: float = 30.0  # after a run this long the wait begins at `first_s` again


class Pulse:
    """What one run of a part is doing now, and its deadline."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._now: tuple[str, float] | None = None  # what, deadline; None: it waits for others

    @contextmanager
    def doing(self, what: str, limit_s: float) -> Iterator[None]:
        """Give what runs inside the context `limit_s` to finish; contexts nest, and the innermost counts."""
        before, self._now = self._now, (what, self._clock.monotonic_s() + limit_s)
        try:
            yield
        finally:
            self._now = before

    @property
    def busy(self) -> bool:
        """True while something is being done."""
        return self._now is not None

    def overdue(self) -> str | None:
        """Return what is over its deadline, or None."""
        now = self._now
        return now[0] if now is not None and self._clock.monotonic_s() > now[1] else None


class Turn:
    """One run of a part, from its start to its end or until it is abandoned."""

    def __init__(self, clock: Clock) -> None:
        self.stop = threading.Event()  # set: return soon, and touch nothing shared
        self.pulse = Pulse(clock)
        self.error: Exception | None = None
        self.ended = threading.Event()


@dataclass(slots=True)
class Part:
    """One function that the supervisor keeps running."""

    name: str
    work: Callable[[Turn], None]  # returns: done for good; raises: to be started again
    policy: Policy = Policy()
    replaceable: bool = True  # a stalled run can be abandoned and another begun
    patient: bool = False  # its own errors never end the process: an unplugged camera may come back


class Supervisor:
    """Runs parts; `tick`, called from the main thread, handles those that failed or stalled."""

    def __init__(self, clock: Clock, faults: ActiveFaults, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()  # of parts without a policy of their own
        self._clock = clock
        self._faults = faults
        self._runs: list[_Run] = []

    def start(self, part: Part) -> None:
        """Begin to run `part`."""
        run = _Run(part)
        self._runs.append(run)
        self._begin(run)

    def looks_after(self, name: str) -> bool:
        """Tell whether the part called `name` runs within its deadline or waits to be started again."""
        return any(
            run.part.name == name
            and (run.turn.pulse.overdue() is None if run.turn is not None else run.again_at_s is not None)
            for run in self._runs
        )

    def tick(self) -> None:
        """Look after every part once.

        Raises:
            SmearscopeError: a part cannot be restarted in this process.
        """
        now = self._clock.monotonic_s()
        for run in self._runs:
            if run.turn is None:
                if run.again_at_s is not None and now >= run.again_at_s:
                    self._begin(run)
            elif run.turn.ended.is_set():
                error, run.turn = run.turn.error, None
                if error is not None:
                    self._restart_later(run, error, counts=not run.part.patient)
            elif (what := run.turn.pulse.overdue()) is not None:
                self._stalled(run, run.turn, what)

    def stop(self) -> None:
        """End all parts; those that do not end in time are left to their threads. Safe to call twice."""
        for run in self._runs:
            if run.turn is not None:
                run.turn.stop.set()
        deadline_s = self._clock.monotonic_s() + _JOIN_S
        for run in self._runs:
            if run.turn is not None and not run.turn.pulse.overdue():
                run.turn.ended.wait(max(0.0, deadline_s - self._clock.monotonic_s()))

    def _begin(self, run: "_Run") -> None:
        run.turn, run.again_at_s, run.began_s = Turn(self._clock), None, self._clock.monotonic_s()
        # A daemon thread, as one that hangs in a driver or an interpreter must not keep the process from ending.
        threading.Thread(target=_work, args=(run.part, run.turn), name=run.part.name, daemon=True).start()

    def _stalled(self, run: "_Run", turn: Turn, what: str) -> None:
        error = SmearscopeError(f"{run.part.name}: {what} does not end")
        turn.stop.set()
        if not run.part.replaceable:
            self._faults.report(run.part.name, str(error))
            raise SmearscopeError(f"{error}, and cannot be cancelled; this process ends so that a new one can start")
        run.turn = None
        self._restart_later(run, error, counts=True)

    def _restart_later(self, run: "_Run", error: Exception, counts: bool) -> None:
        now, policy = self._clock.monotonic_s(), run.part.policy
        text = str(error) if isinstance(error, SmearscopeError) else _defect(run.part.name, error)
        self._faults.report(run.part.name, text)
        if counts:
            run.counted_s.append(now)
            while now - run.counted_s[0] > policy.window_s:
                run.counted_s.popleft()
            if len(run.counted_s) > policy.restarts:
                raise SmearscopeError(
                    f"{run.part.name} failed {len(run.counted_s)} times within {policy.window_s:g} s, given up: {text}"
                ) from error
        if now - run.began_s >= policy.steady_s:
            run.waited_s = 0.0
        run.waited_s = min(policy.most_s, run.waited_s * 2 or policy.first_s)
        run.again_at_s = now + run.waited_s


@dataclass(slots=True)
class _Run:
    """A part and the state of its runs."""

    part: Part
    turn: Turn | None = None  # None: between two runs, or done
    began_s: float = 0.0
    again_at_s: float | None = None
    waited_s: float = 0.0
    counted_s: deque[float] = field(default_factory=deque)  # times of the failures that count towards `restarts`


def _defect(name: str, error: Exception) -> str:
    return f"{name} failed ({type(error).__name__}: {error}); please report this"


def _work(part: Part, turn: Turn) -> None:
    try:
        part.work(turn)
    except Exception as error:  # noqa: BLE001 - the supervisor's boundary: no part may die unseen
        turn.error = error
    finally:
        turn.ended.set()
