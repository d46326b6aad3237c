"""Who is logged in, kept in this process alone; and how often somebody may try a password."""

import hashlib
import secrets
from dataclasses import dataclass, field

from device.system.clock import Clock
from web.accounts import User

IDLE_S, LONGEST_S = 30 * 60.0, 12 * 3600.0  # a session without requests, and any: a shift at the microscope
MOST, MOST_OF_ONE = 100, 20  # sessions, and of one user; one more ends the one that has been idle longest
FREE_TRIES = 5  # wrong passwords before the next try has to wait
FREE_TRIES_ANYWHERE = 20  # likewise for a name, from all addresses together
FIRST_WAIT_S, LONGEST_WAIT_S = 30.0, 15 * 60.0  # doubled with each try
_REMEMBERED = 1000  # names, addresses, and both together


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
        own = [key for key, each in self._sessions.items() if each.user.name == user.name]
        crowd = own if len(own) >= MOST_OF_ONE else list(self._sessions) if len(self._sessions) >= MOST else []
        if crowd:
            del self._sessions[min(crowd, key=lambda each: self._sessions[each].seen_s)]
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
    """Wrong passwords: after some, each further try has to wait, and longer each time.

    They count for a name at an address, and for the address. For the name wherever they come from only more of them
    do, and not at addresses where this name has logged in: else who knows a name could keep its owner out. (NIST
    SP 800-63B, 5.2.2; OWASP, "Slow down online guessing attacks with device cookies".)
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failed: dict[tuple[str, str], tuple[int, float]] = {}  # how often, and when the next try may come
        self._known: dict[tuple[str, str], None] = {}  # names with addresses where they have logged in

    def wait_s(self, name: str, address: str) -> float:
        """Return how long to wait before the next try; 0: none."""
        now_s = self._clock.monotonic_s()
        return max(0.0, *(self._failed.get(each, (0, 0.0))[1] - now_s for each in self._free(name, address)))

    def failed(self, name: str, address: str) -> None:
        """Count a wrong password."""
        for key, free in self._free(name, address).items():
            count = self._failed.pop(key, (0, 0.0))[0] + 1
            wait_s = 0.0 if count < free else min(FIRST_WAIT_S * 2 ** (count - free), LONGEST_WAIT_S)
            self._failed[key] = count, self._clock.monotonic_s() + wait_s
        while len(self._failed) > _REMEMBERED:  # who floods this with names frees none that still waits
            del self._failed[min(self._failed, key=lambda each: self._failed[each][1])]

    def succeeded(self, name: str, address: str) -> None:
        """Forget what was counted, and remember the address."""
        for key in self._free(name, address):
            self._failed.pop(key, None)
        self._known.pop((name, address), None)
        self._known[name, address] = None
        if len(self._known) > _REMEMBERED:
            del self._known[next(iter(self._known))]

    def _free(self, name: str, address: str) -> dict[tuple[str, str], int]:
        """Return what a try counts for, and how many may be wrong there before one has to wait."""
        here = {(name, address): FREE_TRIES, ("", address): FREE_TRIES}
        return here if (name, address) in self._known else here | {(name, ""): FREE_TRIES_ANYWHERE}


def _key(cookie: str) -> str:
    return hashlib.sha256(cookie.encode("utf-8", "replace")).hexdigest()
