"""What every test of the web may ask for."""

from pathlib import Path

import pytest

from tests.web.clients import Served


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Served:
    """A served folder in which no device is running."""
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    return Served(tmp_path)
