"""Which bundle runs: the one that was chosen, or the one before it with a word about why, and never another."""

import os
import shutil
from pathlib import Path

import pytest

from device.bundles import current_bundle
from device.cameras.calibration import Corrector
from device.session.active_faults import ActiveFaults
from device.session.inference_worker import ProcessorSlot
from device.session.model_loader import BUNDLE, BundleWatch, ModelLoader
from device.system.systemd import Journal
from smear.bundle.manifest import MANIFEST
from smear.errors import BundleError
from tests.device.faults import Models


class Loading:
    """A loader of stand-ins, and a watch over the bundle in `models`."""

    def __init__(self, models: Path) -> None:
        self.opened: list[tuple[str, bool]] = []  # what is in the bundle, and whether it was proven
        self.during = lambda: None  # what happens while a bundle is opened
        self.faults = ActiveFaults(Journal({}))
        self.level = "int8"
        self.loader = ModelLoader(lambda: current_bundle(models), self.open, lambda: self.level, False, self.faults)
        self.processors = ProcessorSlot(self.loader.load, Corrector())
        self.watch = BundleWatch(self.loader, self.processors, self.faults)

    def open(self, path: Path, level: str | None, prove: bool) -> Models:
        content = (path / MANIFEST).read_text()
        self.opened.append((content, prove))
        self.during()
        if content == "broken":
            raise BundleError("a model of it ends the process that runs it (SIGSEGV)")
        return Models(content)


def put(models: Path, name: str) -> None:
    """Make a bundle called `name` current."""
    (models / name).mkdir(parents=True, exist_ok=True)
    (models / name / MANIFEST).write_text(name)
    fresh = models / ".fresh"
    fresh.symlink_to(name)
    os.replace(fresh, models / "current")  # noqa: PTH105 - Path.replace would do the same


@pytest.fixture
def models(tmp_path: Path) -> Path:
    put(tmp_path / "models", "first")
    return tmp_path / "models"


def test_a_bundle_swapped_while_the_first_is_loaded_is_noticed(models: Path) -> None:
    loading = Loading(models)
    loading.during = lambda: put(models, "second")
    loading.loader.load()
    loading.during = lambda: None
    loading.watch.look()
    assert loading.opened == [("first", False), ("second", True)]


def test_a_bundle_loaded_live_is_proven_first(models: Path) -> None:
    loading = Loading(models)
    loading.loader.load()
    put(models, "second")
    loading.watch.look()
    assert loading.opened[-1] == ("second", True)
    assert loading.faults.current == {}


def test_another_level_that_is_chosen_is_loaded_live(models: Path) -> None:
    loading = Loading(models)
    loading.loader.load()
    loading.watch.look()
    loading.level = "float32"
    loading.watch.look()
    loading.watch.look()
    assert loading.opened == [("first", False), ("first", True)]


def test_the_same_faulty_bundle_is_tried_once_and_the_old_one_goes_on(models: Path) -> None:
    loading = Loading(models)
    loading.loader.load()
    put(models, "broken")
    for _ in range(5):
        loading.watch.look()
    assert loading.opened == [("first", False), ("broken", True)]
    assert "the new bundle is refused, the old one goes on" in loading.faults.current[BUNDLE]
    assert "SIGSEGV" in loading.faults.current[BUNDLE]


@pytest.mark.parametrize("moved", ["first", "current", f"first/{MANIFEST}"])
def test_a_chosen_bundle_that_is_gone_stops_the_labels_and_no_other_is_taken(models: Path, moved: str) -> None:
    loading = Loading(models)
    loading.loader.load()
    (models / "previous").symlink_to("first")
    (models / moved).rename(models / ".away")
    loading.watch.look()
    assert loading.processors.suspended
    assert "so nothing is labelled" in loading.faults.current[BUNDLE]
    (models / ".away").rename(models / moved)
    loading.watch.look()
    assert not loading.processors.suspended
    assert loading.faults.current == {}
    assert {content for content, _ in loading.opened} == {"first"}


def test_another_bundle_that_is_chosen_in_the_place_of_one_that_is_gone_is_used(models: Path) -> None:
    loading = Loading(models)
    loading.loader.load()
    shutil.rmtree(models / "first")
    loading.watch.look()
    with pytest.raises(BundleError, match=r"current leads to no bundle, so nothing is labelled; .*model activate"):
        Loading(models).loader.load()
    put(models, "broken")
    for _ in range(2):
        loading.watch.look()
        assert loading.processors.suspended  # what is gone does not come back because its successor is refused
    assert "the old one is gone" in loading.faults.current[BUNDLE]
    put(models, "second")
    loading.watch.look()
    assert not loading.processors.suspended
    assert loading.faults.current == {}
