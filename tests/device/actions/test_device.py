"""Looking after the device by actions: its log, its models, and what the audit trail keeps of it."""

import shutil

import pytest

from device import bundles
from device.actions.base import Context, Role
from device.actions.registry import action_called
from device.settings import Settings
from device.store import Store
from device.system.log_file import LogFile
from device.system.systemd import Priority
from smear.errors import SmearscopeError
from tests import tiny_bundle
from tests.tiny_bundle import LEVEL


@pytest.fixture
def store(tmp_path):  # type: ignore[no-untyped-def]
    with Store.record(tmp_path / "data") as opened:
        yield opened


def perform(store, name, /, **values):  # type: ignore[no-untyped-def]
    return action_called(name).perform(Context(store, Settings(model={"level": LEVEL}), "ada"), values)


def test_the_log_is_shown_down_to_a_level_and_no_further_than_asked(store):
    log = LogFile(store.folder)
    for priority in Priority:
        log.add(priority, priority.name)
    shown = perform(store, "logs show", level="warning")["lines"]
    assert [each["text"] for each in shown] == ["WARNING", "ERROR"]
    assert len(perform(store, "logs show", limit=1)["lines"]) == 1
    assert action_called("logs show").role is Role.OPERATOR


def test_the_model_before_is_proven_used_again_and_the_trail_says_who_did_it(store, tmp_path):
    models, made = store.folder / bundles.MODELS, tiny_bundle.make(tmp_path / "made")
    assert perform(store, "model list")["shipped_in_use"] is True
    with pytest.raises(SmearscopeError, match="no previous bundle"):
        perform(store, "model rollback")
    first = bundles.install(made, models, prove=lambda bundle: None)
    shutil.copytree(first, second := models / "second")
    bundles.activate(models, "second", prove=lambda bundle: None)
    assert perform(store, "model verify")["levels"] == [LEVEL]
    assert perform(store, "model rollback") == {"current": first.name, "previous": "second"}
    listed = {each["name"]: each for each in perform(store, "model list")["bundles"]}
    assert (listed[first.name]["current"], listed["second"]["previous"]) == (True, True)
    (second / "golden.npz").write_bytes(b"damaged")
    with pytest.raises(SmearscopeError, match="golden"):
        perform(store, "model rollback")
    (event,) = store.newest_of_device(9)
    assert (event.operator, event.action, event.old, event.new) == ("ada", "model", "second", first.name)
    assert perform(store, "slides history", slide="0")["events"] == [event.to_json()]
