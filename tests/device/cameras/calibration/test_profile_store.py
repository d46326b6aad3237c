"""Calibration profiles: whose they are, and that no crash, crowd or stranger's file harms them."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from device.cameras.calibration import Calibration, OpticalSetup, ProfileStore
from device.cameras.calibration.profile import GRID
from device.cameras.calibration.profile_store import FOLDER, IN_USE
from smear.errors import SettingsError, StoreError

SETUP = OpticalSetup("v4l2:/dev/v4l/by-id/a", "123", (640, 480), "MJPG", "40x", "v4l2:/dev/video0")
NOW_S = 1_700_000_000.0
CHANGES = 12  # of each of four processes


def typed(scale: float):  # type: ignore[no-untyped-def]
    return lambda known: known.model_copy(update={"pixel_size_um": scale})


@pytest.fixture
def store(tmp_path):
    return ProfileStore(tmp_path)


def test_it_is_stored_with_a_date_and_an_id_that_changes_with_its_content(store):
    first = store.update(SETUP, typed(0.25), NOW_S)
    assert first.id.startswith("20231114T221320Z-")
    assert store.find(SETUP) == first
    second = store.update(SETUP, typed(0.5), NOW_S)
    assert second.id != first.id
    assert store.read() == ([second], [])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"camera": "v4l2:/dev/v4l/by-id/b", "opened_as": ""},
            "camera v4l2:/dev/v4l/by-id/a, not v4l2:/dev/v4l/by-id/b",
        ),
        ({"serial": "124"}, "serial 123, not 124"),
        ({"serial": ""}, "serial 123, not none"),
        ({"size": (1920, 1080)}, "640x480, not 1920x1080"),
        ({"pixel_format": "YUYV"}, "pixel format MJPG, not YUYV"),
        ({"objective": "100x"}, "objective 40x, not 100x"),
    ],
)
def test_it_fits_its_own_camera_and_objective_and_no_other(store, change, said):
    made = store.update(SETUP, typed(0.25), NOW_S)
    other = replace(SETUP, **change)
    assert made.misfits(other) == [said]
    assert store.find(other) is None
    store.update(other, typed(0.1), NOW_S + 1)
    assert store.find(SETUP) == made


def test_a_typed_scale_waits_for_the_first_camera_and_then_belongs_to_it(store):
    store.update(OpticalSetup(objective="40x"), typed(0.25), NOW_S)
    assert store.find(SETUP) is None
    (said,) = store.bind(SETUP, NOW_S + 1)
    assert "0.25 µm belongs to v4l2:/dev/v4l/by-id/a, serial 123, 640x480, MJPG, objective 40x" in said
    assert [each.setup.camera for each in store.read()[0]] == [SETUP.camera]
    assert store.bind(OpticalSetup("picamera2:0", "", (640, 480), "BGR888", "40x"), NOW_S) == []


def test_a_typed_scale_joins_what_was_measured_with_that_camera(store):
    store.update(SETUP, lambda known: known.model_copy(update={"best_focus": 0.5}), NOW_S)
    store.update(OpticalSetup(SETUP.camera, "123", objective="40x"), typed(0.25), NOW_S)
    store.bind(SETUP, NOW_S + 1)
    (only,), _ = store.read()
    assert (only.best_focus, only.pixel_size_um) == (0.5, 0.25)


def test_a_damaged_profile_is_named_and_the_others_are_read(store):
    good = store.update(SETUP, typed(0.25), NOW_S)
    flat = [[[1.0] * 3] * GRID[1]] * GRID[0]
    for number, text in enumerate(
        ("{", '{"flat": [[1]]}', '{"pixel_size_um": -1}', '{"pixel_size_um": NaN}', '{"flat": [[[1, 1, 1]]]}',
         '{"white": [1, 1e9, 1]}', json.dumps({"flat": [flat[0]] * 25}), "x" * 2_000_000)
    ):  # fmt: skip
        path = store.folder / "other.json"
        path.write_text(text)
        profiles, faults = store.read()
        assert profiles == [good], number
        assert len(faults) == 1
        assert "other.json" in faults[0]
        assert "remove it and calibrate again" in faults[0]


def test_a_link_or_a_pipe_is_no_profile(store, tmp_path):
    store.update(SETUP, typed(0.25), NOW_S)
    (tmp_path / "secret").write_text("{}")
    (store.folder / "link.json").symlink_to(tmp_path / "secret")
    os.mkfifo(store.folder / "pipe.json")
    profiles, faults = store.read()
    assert (len(profiles), len(faults)) == (1, 2)


def test_one_is_deleted_by_the_beginning_of_its_id_and_only_where_that_is_clear(store):
    one = store.update(SETUP, typed(0.25), NOW_S)
    store.update(OpticalSetup("picamera2:0", "", (640, 480)), typed(0.1), NOW_S)
    with pytest.raises(SettingsError, match="2 calibrations have an id that begins with '2023'"):
        store.reset("2023")
    with pytest.raises(SettingsError, match="no calibration has"):
        store.reset("")
    assert store.reset(one.id) == [one]
    assert len(store.reset(None)) == 1
    assert store.read() == ([], [])


def test_the_objective_in_use_is_remembered_and_a_foreign_text_is_none(store):
    assert store.objective() == "default"
    store.use_objective("40x")
    assert store.objective() == "40x"
    (store.folder / IN_USE).write_text("../../x\n")
    assert store.objective() == "default"


def test_a_folder_that_cannot_be_written_is_one_sentence(store, tmp_path):
    (tmp_path / FOLDER).write_text("in the way")
    with pytest.raises(StoreError, match="calibration"):
        store.update(SETUP, typed(0.25), NOW_S)


def test_concurrent_calibrations_lose_nothing_and_no_reader_sees_half_a_file(store, tmp_path):
    script = f"""
import sys
from pathlib import Path
from device.cameras.calibration import OpticalSetup, ProfileStore
store, mine = ProfileStore(Path({str(tmp_path)!r})), sys.argv[1]
def with_one_more(known):
    return known.model_copy(update={{"controls": known.controls | {{f"{{mine}}-{{number}}": 1}}}})
for number in range({CHANGES}):
    store.update(OpticalSetup("simulated:", "", (640, 480)), with_one_more, 0.0)
"""
    writers = [subprocess.Popen([sys.executable, "-c", script, str(each)]) for each in range(4)]
    seen: list[Calibration] = []
    while any(writer.poll() is None for writer in writers):
        profiles, faults = store.read()
        assert not faults
        seen += profiles
    assert [writer.returncode for writer in writers] == [0] * 4
    (only,), _ = store.read()
    assert len(only.controls) == 4 * CHANGES
    assert sorted(path.name for path in store.folder.iterdir()) == [only.file_name]


@pytest.mark.parametrize(
    "change",
    [
        {"white": [float("nan"), 1, 1]}, {"white": [1e300, 1, 1]}, {"white": [0, 1, 1]},
        {"glass": [float("inf"), 1, 1]},
        {"glass": [-1, 1, 1]}, {"best_focus": float("nan")}, {"best_focus": 1e300}, {"pixel_size_um": float("nan")},
        {"pixel_size_um": 1e-9}, {"size": [0, 5]}, {"size": [10**9, 5]}, {"flat": [[[float("nan")] * 3] * 32] * 24},
        {"controls": {"gain": float("inf")}}, {"controls": {"gains": [1.0, float("nan")]}}, {"id": "\x1b[31m"},
        {"schema_version": 3},
    ],
)  # fmt: skip
def test_no_number_of_a_calibration_is_anything_but_finite_and_in_its_range(store, change):
    store.folder.mkdir()
    (store.folder / "calibration.json").write_text(json.dumps(change))
    (said,) = store.read()[1]
    assert "calibration.json: " in said
    assert "calibrate again" in said
    assert said.isprintable()


def test_a_calibration_that_is_no_file_is_said_without_waiting(store):
    store.folder.mkdir()
    os.mkfifo(store.folder / "calibration.json")
    (said,) = store.read()[1]
    assert "is no regular file; remove it" in said
    with pytest.raises(SettingsError, match="is no regular file; remove it"):
        store.in_use()
