"""What every test of the web may ask for."""

from pathlib import Path

import pytest
from argon2 import PasswordHasher

from tests.web.clients import Served


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.accounts._HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Served:
    """A served folder in which no device is running."""
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    return Served(tmp_path)
