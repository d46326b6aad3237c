"""What the routes share: accounts, sessions, the store, and the device behind its control socket."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import anyio
from anyio import CapacityLimiter
from starlette.requests import Request

from device.actions.base import Action, Context, Role
from device.control.client import ask
from device.control.protocol import ControlError
from device.data_folder import service_data
from device.settings import Settings
from device.store import Store
from device.system.clock import Clock, SystemClock
from web.accounts import Accounts
from web.sessions import Attempts, Sessions

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks: somebody who is logged in, or a program with a token."""

    name: str
    role: Role
    csrf: str | None = None  # None: a program, which no other site can make send its token


class Site:
    """One served data folder."""

    def __init__(
        self, data: Path, settings: Settings, accounts: Accounts, *, secure: bool = True, clock: Clock | None = None,
        config: Path | None = None,
    ) -> None:  # fmt: skip
        clock = clock or SystemClock()
        self.data, self.settings, self.accounts, self.secure, self.config = data, settings, accounts, secure, config
        self.of_service = data.resolve() == service_data().resolve()
        self.about: dict[str, str] = {}  # address and fingerprint
        self.sessions, self.attempts = Sessions(clock), Attempts(clock)
        self._readers, self._askers = CapacityLimiter(4), CapacityLimiter(2)  # `device.control.server.AT_ONCE`
        self.looking = CapacityLimiter(1)  # at the device's screen, one request after the other
        self.hashing = CapacityLimiter(1)  # each try at a password takes 19 MiB

    @property
    def cookie(self) -> str:
        """The session's cookie; the prefix makes browsers refuse it from another host or without TLS."""
        return "__Host-smearscope" if self.secure else "smearscope"

    def person(self, request: Request) -> Person | None:
        """Return who sent a request; None: nobody that is known."""
        kind, _, secret = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            token = self.accounts.bearer(secret.strip())
            return None if token is None else Person(f"{token.name} (token)", token.role)
        session = self.sessions.find(request.cookies.get(self.cookie, ""), self.accounts.users())
        return None if session is None else Person(session.user.name, session.user.role, session.csrf)

    async def read(self, look: Callable[[Store], T]) -> T:
        """Return what `look` finds in the store, which is opened for reading only."""
        return await anyio.to_thread.run_sync(lambda: self._looked(look), limiter=self._readers)

    async def perform(self, action: Action[Any], person: Person, values: dict[str, Any]) -> dict[str, Any]:
        """Do an action as `person`: of the running device what changes or asks it, or on the store where none runs."""
        if not action.changes and not action.of_session and action.answer is not None:
            return await self.read(
                lambda store: action.perform(Context(store, self.settings, person.name, self.config), values)
            )
        return await anyio.to_thread.run_sync(lambda: self._asked(action, person.name, values), limiter=self._askers)

    def ask(self, command: str, **values: Any) -> dict[str, Any] | None:
        """Ask the device that records into the served folder, never the service about another; see `client.ask`."""
        return ask(self.data, command, only=not self.of_service, **values)

    def say_where(self, **about: str) -> None:
        """Tell the device what to show of this server on its screen, if one is running."""
        with suppress(ControlError, OSError):
            self.ask("web is", **self.about, **about)

    def _looked(self, look: Callable[[Store], T]) -> T:
        with Store.read(self.data, self.settings.store.busy_timeout_s, writable=False) as store:
            return look(store)

    def _asked(self, action: Action[Any], operator: str, values: dict[str, Any]) -> dict[str, Any]:
        action.parsed(values)
        try:
            if (found := self.ask(action.name, **values, operator=operator)) is not None:
                return found
        except ControlError:
            if not action.of_session:
                raise
        if action.answer is None:
            raise ControlError("no device is running here; start one with 'smearscope run'")
        with Store.read(self.data, self.settings.store.busy_timeout_s, writable=action.changes) as store:
            return action.perform(Context(store, self.settings, operator, self.config), values)


def site_of(request: Request) -> Site:
    """Return the site that a request is for."""
    found = request.app.state.site
    assert isinstance(found, Site)
    return found


def person_of(request: Request) -> Person:
    """Return who sent a request to a guarded route."""
    found = request.state.person
    assert isinstance(found, Person)
    return found
