"""Settings are changed where the settings file says nothing; a fault changes nothing, and the trail says who did it."""

import pytest
from click.testing import CliRunner

from device.actions.base import Context
from device.actions.registry import action_called
from device.commands.config import command
from device.commands.options import settings_and_data
from device.settings import Settings
from device.settings_changes import FILE, ON_DEVICE
from device.store import Store
from smear.errors import SettingsError


@pytest.fixture
def store(tmp_path):  # type: ignore[no-untyped-def]
    with Store.record(tmp_path / "data") as opened:
        yield opened


@pytest.fixture
def config(tmp_path):  # type: ignore[no-untyped-def]
    path = tmp_path / "config.toml"
    path.write_text('# by hand\n[gate]\nmin_focus = 0.5\n[display]\nname = "none"\n')
    return path


def rows(store, config, settings=None, started_with=()):  # type: ignore[no-untyped-def]
    context = Context(store, settings or Settings(), "ada", config, started_with)
    found = action_called("settings show").perform(context, {})
    return {each["name"]: each for each in found["settings"]}


def change(store, config, **values):  # type: ignore[no-untyped-def]
    named = {name.replace("__", "."): value for name, value in values.items()}
    return action_called("settings change").perform(Context(store, Settings(), "ada", config), {"values": named})


def test_what_is_changed_is_kept_beside_the_file_and_holds_from_the_next_start(store, config):
    classes = [{"name": "blast", "key": "b"}, {"name": "unclear", "key": "u", "role": "unidentified"}]
    done = change(
        store, config, qc__required="true", store__min_free_mb="250", cells__classes=classes, model__threads=2
    )
    assert done == {"changed": ["cells.classes", "model.threads", "qc.required", "store.min_free_mb"], "faults": {}}
    settings, _ = settings_and_data(config, store.folder)
    assert (settings.qc.required, settings.store.min_free_mb, settings.gate.min_focus) == (True, 250, 0.5)
    assert ([each.name for each in settings.cells.classes], settings.model.threads) == (["blast", "unclear"], 2)
    assert config.read_text().startswith("# by hand")
    shown = rows(store, config)
    assert (shown["qc.required"]["waits"], shown["qc.required"]["changed"], shown["qc.valid_hours"]["waits"]) == (
        True, True, False,
    )  # fmt: skip
    assert shown["gate.min_focus"]["fixed"] == "the settings file says it; change it there"
    assert change(store, config, qc__required="", store__min_free_mb=250)["changed"] == ["qc.required"]
    events = [(each.operator, each.action, each.old, each.new) for each in store.newest_of_device(2)]
    assert events[0] == ("ada", "setting", "qc.required = true", None)
    assert events[1] == ("ada", "setting", None, "store.min_free_mb = 250")
    printed = CliRunner().invoke(command, ["show", "--config", str(config), "--data", str(store.folder)]).stdout
    assert "min_free_mb = 250 " in printed


def test_a_faulty_change_changes_nothing_and_every_fault_stands_beside_its_setting(store, config):
    faults = change(
        store, config, camera__name="no such", gate__max_clipped="7", gate__min_focus="1", qc__required="true",
        store__min_free_mb=None, cells__classes="[", camera__width="640", qc__nothing=1, qc__tests=[None],
    )["faults"]  # fmt: skip
    assert faults.keys() == {
        "gate.max_clipped",
        "gate.min_focus",
        "cells.classes",
        "camera.width",
        "qc.nothing",
        "qc.tests",
    }
    assert faults["gate.max_clipped"].endswith("allowed: a number at least 0 and at most 1")
    assert not (store.folder / FILE).exists()
    assert store.newest_of_device(1) == []


def test_what_only_this_machine_can_tell_is_a_fault_too(store, config):
    found = change(store, config, camera__name="no such", store__min_free_mb=9_999_999)["faults"]
    assert found.keys() == {"camera.name", "store.min_free_mb"}
    assert "cannot stay free on a disk" in found["store.min_free_mb"]


@pytest.mark.parametrize("name", sorted(ON_DEVICE))
def test_no_folder_key_or_library_is_chosen_from_elsewhere(store, config, name):
    found = change(store, config, **{name: "/tmp/x"})
    assert found == {"changed": [], "faults": {name: "the settings file alone can say it"}}
    assert rows(store, config)[name]["fixed"]
    section, key = name.split(".")
    # As a program that got into the service could write it, for root to read.
    written = {"mqtt.port": "7", "mqtt.tls": "false"}.get(name, '"/tmp/x"')
    (store.folder / FILE).write_text(f"[{section}]\n{key} = {written}\n")
    in_force, _ = settings_and_data(config, store.folder)
    assert getattr(getattr(in_force, section), key) == getattr(getattr(Settings(), section), key)


def test_a_damaged_file_of_changes_is_named_and_not_passed_over(store, config):
    (store.folder / FILE).write_text("[qc]\nrequired = 7\n")
    with pytest.raises(SettingsError, match=f"{FILE}: line 2: qc.required = 7 is not allowed"):
        settings_and_data(config, store.folder)


def test_what_the_device_was_started_with_comes_first_and_the_choice_is_refused_with_that_reason(store, config):
    change(store, config, model__level="float16", model__threads=2)
    started = Settings(model={"level": "dynamic"}), {"model.level"}
    shown = rows(store, config, *started)
    reason = "the device was started with --level, which comes first"
    assert [shown["model.level"][each] for each in ("value", "fixed", "waits")] == ["dynamic", reason, False]
    assert [shown["model.threads"][each] for each in ("value", "fixed", "waits")] == [2, "", True]
    context = Context(store, started[0], "ada", config, started[1])
    found = action_called("settings change").perform(context, {"values": {"model.level": "int8"}})
    assert found == {"changed": [], "faults": {"model.level": reason}}
    assert not rows(store, config)["model.level"]["waits"]  # the running device takes it up
