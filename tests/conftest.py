"""Fixtures that every room shares."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# No test fails because the machine was busy: speed is measured in benchmarks.
settings.register_profile("smearscope", deadline=None)
settings.load_profile("smearscope")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of development data, which is not part of the repository."""
    named = os.environ.get("SMEARSCOPE_DATA")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no data in {folder}; set SMEARSCOPE_DATA to the folder that holds taleqani/")
    return folder


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a working bundle at level float32; see tests/tiny_bundle.py. Copy it before changing it."""
    # Here, so that rooms without a runtime can still be tested.
    from tests.tiny_bundle import make

    return make(tmp_path_factory.mktemp("bundles") / "tiny")
