"""Fixtures that every room shares."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

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


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Debian's Chromium."""
    # Here, so that the rest is tested without Playwright.
    from playwright.sync_api import sync_playwright

    from device.slide_report.printing import find_browser

    path = find_browser()
    if path is None:
        pytest.skip("no Chromium on this machine: apt install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path)
        yield launched
        launched.close()
