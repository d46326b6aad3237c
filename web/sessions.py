"""Who is logged in, kept in this process alone; and how often somebody may try a password."""

import hashlib
import secrets
from dataclasses import dataclass, field

from device.system.clock import Clock
from web.accounts import User

IDLE_S, LONGEST_S = 30 * 60.0, 12 * 3600.0  # a session without requests, and any: a shift at the microscope
MOST = 100  # sessions; one more ends the one that has been idle longest
FREE_TRIES = 5  # wrong passwords before the next try has to wait
FIRST_WAIT_S, LONGEST_WAIT_S = 30.0, 15 * 60.0  # doubled with each try
_REMEMBERED = 1000  # names and addresses


@dataclass(slots=True)
class Session:
    """One login in one browser."""

    user: User  # as the account was at the login: a change of it ends the session
    began_s: float
    seen_s: float
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32))


class Sessions:
    """The sessions by the hash of their cookie, so that memory shows no cookie."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sessions: dict[str, Session] = {}

    def begin(self, user: User) -> str:
        """Begin a session and return its cookie, which is new whatever the browser sent before."""
        cookie, now_s = secrets.token_urlsafe(32), self._clock.monotonic_s()
        if len(self._sessions) >= MOST:
            del self._sessions[min(self._sessions, key=lambda each: self._sessions[each].seen_s)]
        self._sessions[_key(cookie)] = Session(user, now_s, now_s)
        return cookie

    def find(self, cookie: str, users: tuple[User, ...]) -> Session | None:
        """Return the session of a cookie; None where it has ended, or its user is no longer as at the login."""
        key, now_s = _key(cookie), self._clock.monotonic_s()
        session = self._sessions.get(key)
        if session is None:
            return None
        if now_s - session.seen_s > IDLE_S or now_s - session.began_s > LONGEST_S or session.user not in users:
            del self._sessions[key]
            return None
        session.seen_s = now_s
        return session

    def end(self, cookie: str) -> None:
        """End the session of a cookie, if there is one."""
        self._sessions.pop(_key(cookie), None)


class Attempts:
    """Wrong passwords by name and by address: after some, each further try has to wait, and longer each time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failed: dict[str, tuple[int, float]] = {}  # how often, and when the next try may come

    def wait_s(self, *keys: str) -> float:
        """Return how long to wait before the next try; 0: none."""
        return max(0.0, *(self._failed.get(each, (0, 0.0))[1] - self._clock.monotonic_s() for each in keys))

    def failed(self, *keys: str) -> None:
        """Count a wrong password."""
        for key in keys:
            count = self._failed.pop(key, (0, 0.0))[0] + 1
            wait_s = 0.0 if count < FREE_TRIES else min(FIRST_WAIT_S * 2 ** (count - FREE_TRIES), LONGEST_WAIT_S)
            self._failed[key] = count, self._clock.monotonic_s() + wait_s
        while len(self._failed) > _REMEMBERED:
            del self._failed[next(iter(self._failed))]

    def succeeded(self, *keys: str) -> None:
        """Forget what was counted."""
        for key in keys:
            self._failed.pop(key, None)


def _key(cookie: str) -> str:
    return hashlib.sha256(cookie.encode("utf-8", "replace")).hexdigest()
