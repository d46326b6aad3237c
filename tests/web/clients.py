"""A served data folder, and browsers that are logged in, for the tests of every page."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.testclient import TestClient

from device.actions.base import Role
from device.settings import Settings
from device.system.clock import ManualClock
from tests.device.store.review.signed import filled
from web.accounts import Accounts
from web.app import create_app
from web.site import Site

PASSWORD = "correct horse battery"


class Served:
    """The application over one data folder; its users are vera, olga and ada, one for each role."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(1000.0, 1_700_000_000.0)
        self.data = filled(folder / "data")
        self.accounts = Accounts(folder / "state", self.clock)
        for name, role in (("ada", Role.ADMIN), ("olga", Role.OPERATOR), ("vera", Role.VIEWER)):
            self.accounts.add_user(name, role, PASSWORD)
        self.site = Site(self.data, Settings(), self.accounts, clock=self.clock)
        self.app: Starlette = create_app(self.site, ("testserver",))

    @contextmanager
    def browser(self, name: str | None = None) -> Iterator[TestClient]:
        """Give a browser, logged in as `name`; its changes carry the CSRF token."""
        with TestClient(self.app, "https://testserver", follow_redirects=False) as client:
            if name is not None:
                answer = client.post("/login", data={"name": name, "password": PASSWORD})
                assert answer.status_code == 303, answer.text
                session = self.site.sessions.find(client.cookies[self.site.cookie], self.accounts.users())
                assert session is not None
                client.headers["x-csrf-token"] = session.csrf
            yield client
