"""A camera is opened with the calibration that belongs to it; what does not fit is not applied, and that is said."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from device.cameras.base import CameraIdentity, Grant
from device.cameras.calibration import OpticalSetup, ProfileStore
from device.cameras.calibration.selection import corrector_for, open_calibrated
from device.cli import cli
from device.store import Store
from smear.findings import Frame
from smear.images import write_image
from smear.synthetic import render

NOW_S = 1_700_000_000.0


class Toy:
    """A camera that grants one size, whatever is asked."""

    simulated = False

    def __init__(self, size: tuple[int, int], name: str = "picamera2:0", pixel_format: str = "BGR888") -> None:
        self.name = name
        self.granted = Grant(size, pixel_format, ("not what was asked for",))
        self.closed = False

    def close(self) -> None:
        self.closed = True


def fixed(store: ProfileStore, size: tuple[int, int], controls: Mapping[str, Any]) -> None:
    store.update(
        OpticalSetup("picamera2:0", "", size, "BGR888"),
        lambda known: known.model_copy(update={"controls": dict(controls), "pixel_size_um": 0.25}),
        NOW_S,
    )


def opened(store: ProfileStore, size: tuple[int, int]):  # type: ignore[no-untyped-def]
    said: list[str] = []
    controls: list[Mapping[str, Any]] = []
    cameras: list[Toy] = []

    def open_source(controls_of):  # type: ignore[no-untyped-def]
        controls.append(controls_of(CameraIdentity("picamera2:0")))
        cameras.append(Toy(size))
        return cameras[-1]

    camera, corrector = open_calibrated(open_source, store, "default", NOW_S, said.append)
    assert camera is cameras[-1]
    assert all(each.closed for each in cameras[:-1])
    return corrector, controls, said


def test_the_profile_that_fits_is_applied_and_its_settings_are_fixed(tmp_path):
    store = ProfileStore(tmp_path)
    fixed(store, (640, 480), {"ExposureTime": 9})
    corrector, controls, said = opened(store, (640, 480))
    assert controls == [{"ExposureTime": 9}]
    assert corrector.calibration.pixel_size_um == 0.25
    assert said == ["not what was asked for"]


def test_a_camera_that_grants_another_size_is_opened_again_without_the_settings_of_that_profile(tmp_path):
    store = ProfileStore(tmp_path)
    fixed(store, (640, 480), {"ExposureTime": 9})
    corrector, controls, said = opened(store, (1280, 960))
    assert controls == [{"ExposureTime": 9}, {}]
    assert corrector.applied_id is None
    assert "is not applied, it is for 640x480, not 1280x960" in said[1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, None),
        ({"name": "picamera2:1"}, "camera picamera2:0, not picamera2:1"),
        ({"size": (1280, 960)}, "640x480, not 1280x960"),
        ({"pixel_format": "RGB888"}, "pixel format BGR888, not RGB888"),
        ({"objective": "100x"}, "objective 40x, not 100x"),
    ],
)
def test_the_profile_of_an_objective_is_refused_under_any_other_setup_and_changes_no_pixel(tmp_path, change, said):
    store, about = ProfileStore(tmp_path), {"name": "picamera2:0", "size": (640, 480), "objective": "40x"} | change
    white = {"white": (2.0, 1.0, 1.0), "pixel_size_um": 0.25}
    setup = OpticalSetup("picamera2:0", "", (640, 480), "BGR888", "40x")
    store.update(setup, lambda known: known.model_copy(update=white), NOW_S)
    camera = Toy(about["size"], about["name"], about.get("pixel_format", "BGR888"))
    corrector, _ = corrector_for(camera, store, about["objective"], NOW_S)
    frame = Frame(np.full((*about["size"][::-1], 3), 100, np.uint8), camera.name)
    corrected = corrector.correct(frame)
    assert (corrected is frame) == (said is not None)
    assert (corrector.applied_id is None) == (said is not None)
    assert any(f"is not applied, it is for {said}:" in note for note in corrector.notes) == (said is not None)


def test_the_objective_of_a_run_is_marked_at_its_first_field(tmp_path):
    data = ["--data", str(tmp_path)]
    run = ["run", "--camera", "simulated:", "--fields", "1", "--display", "none", "--objective", "40x", *data]
    assert CliRunner().invoke(cli, run).exit_code == 0
    assert "objective  field 1: nothing -> 40x" in CliRunner().invoke(cli, ["slides", "history", "1", *data]).stdout


def test_a_calibration_of_pictures_from_one_folder_is_not_applied_to_another_camera(tmp_path):
    write_image(tmp_path / "glass.png", np.full((480, 640, 3), (200, 180, 150), np.uint8))
    data = ["--data", str(tmp_path / "d")]

    def smearscope(*words: str):  # type: ignore[no-untyped-def]
        return CliRunner().invoke(cli, [*words, *data], catch_exceptions=False)

    made = smearscope("calibrate", "white", "--camera", f"files:{tmp_path / 'glass.png'}")
    assert made.exit_code == 0, made.stderr
    assert f"files:{tmp_path}, 640x480, objective default" in made.stdout
    taken = smearscope("capture", "--camera", "simulated:", "--out", str(tmp_path / "out"), "--json")
    assert f"is not applied, it is for camera files:{tmp_path}, not simulated:" in taken.stderr
    assert '"calibration": null' in taken.stdout
    ran = smearscope("run", "--camera", "simulated:", "--fields", "1", "--display", "none")
    assert f"is not applied, it is for camera files:{tmp_path}, not simulated:" in ran.stderr
    with Store.read(tmp_path / "d", 1.0) as records:
        assert [field.calibration_id for field in records.fields(1)] == [None]


def test_a_typed_scale_is_bound_to_the_first_camera_that_is_opened_and_that_is_said(tmp_path):
    data = ["--data", str(tmp_path)]
    typed = CliRunner().invoke(cli, ["calibrate", "scale", "--pixel-size-um", "0.3", *data])
    assert "the first camera that is opened" in typed.stdout
    ran = CliRunner().invoke(cli, ["run", "--camera", "simulated:", "--fields", "1", "--display", "none", *data])
    assert "the typed scale of 0.3 µm belongs to simulated:, 640x480, objective default from now on" in ran.stderr
    assert "simulated:, 640x480, objective default: pixel_size_um" in CliRunner().invoke(
        cli, ["calibrate", "list", *data]
    ).stdout  # fmt: skip


@pytest.mark.parametrize("kind", ["list", "show", "compare"])
def test_what_is_stored_can_be_looked_at(tmp_path, kind):
    store = ProfileStore(tmp_path)
    fixed(store, (640, 480), {"ExposureTime": 9})
    fixed(store, (1280, 960), {"ExposureTime": 7})
    ids = [each.id for each in store.read()[0]]
    words = {"list": [], "show": ids[:1], "compare": ids}[kind]
    done = CliRunner().invoke(cli, ["calibrate", kind, *words, "--data", str(tmp_path)], catch_exceptions=False)
    assert done.exit_code == 0
    wanted = {"list": ids, "show": ["picamera2:0", "0.25"], "compare": ["controls", '{"ExposureTime": 7}', "size"]}
    assert all(text in done.stdout for text in wanted[kind])


@pytest.mark.parametrize("measured_before", [False, True])
def test_a_scale_typed_for_a_folder_of_pictures_is_applied_to_them(tmp_path, measured_before):
    fields, options = tmp_path / "fields", ["--camera", f"files:{tmp_path / 'fields'}", "--data", str(tmp_path / "d")]
    fields.mkdir()
    write_image(fields / "a.png", render("Pre", 1).image)
    steps = [["calibrate", "focus"]] * measured_before + [["calibrate", "scale", "--pixel-size-um", "0.4"]]
    for step in [*steps, ["run", "--display", "none"]]:
        assert CliRunner().invoke(cli, [*step, *options]).exit_code == 0
    with Store.read(tmp_path / "d", 1.0) as records:
        assert [field.pixel_size_um for field in records.fields(1)] == [0.4]
