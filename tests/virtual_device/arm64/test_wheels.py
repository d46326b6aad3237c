"""The wheels on the Pi's architecture: they install, import, and answer as the bundle's golden outputs say."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.virtual_device import debian
from tests.virtual_device.arm64.conftest import ARM64, Board

BUNDLE = debian.PROJECT / "models" / "default"


@pytest.fixture(scope="session")
def probed(board: Board) -> Any:
    """What `probe.py` found on the board."""
    done = board.run(Path(__file__).parent / "probe.py", BUNDLE)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_every_wheel_installs_and_what_the_device_runs_on_imports(board: Board, probed: Any) -> None:
    assert (probed["machine"], probed["python"]) == (ARM64, board.python)
    assert probed["installed"] == len(list(board.wheels.glob("*.whl")))


def test_the_default_bundle_gives_its_golden_outputs(probed: Any) -> None:
    assert probed["models"] >= 2
    assert probed["faults"] == []
