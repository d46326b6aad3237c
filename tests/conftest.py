"""Fixtures that every room shares."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of development data, which is not part of the repository."""
    named = os.environ.get("SMEARSCOPE_DATA")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no data in {folder}; set SMEARSCOPE_DATA to the folder that holds taleqani/")
    return folder
