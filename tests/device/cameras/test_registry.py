"""Kinds of cameras: found by name, with the capabilities that the commands rely on."""

import pytest

from device.cameras.base import CameraKind, CameraRequest
from device.cameras.registry import CAMERAS, camera_kind, open_camera
from device.cameras.uri import parse_name
from smear.errors import CameraError


@pytest.mark.parametrize("name", ["", "webcam", "microscope:0"])
def test_an_unknown_kind_lists_the_known_ones(name: str) -> None:
    with pytest.raises(CameraError, match=r"is no camera; write one of: auto, picamera2:\[index\], v4l2:/dev/video0"):
        open_camera(name)


def test_an_unknown_option_lists_those_of_its_kind() -> None:
    with pytest.raises(CameraError, match=r"option 'speed' is not known; allowed here: class"):
        camera_kind("simulated:7?speed=2")


@pytest.mark.parametrize("kind", CAMERAS.all(), ids=lambda kind: kind.name)
def test_every_kind_says_what_it_is_and_how_its_name_is_written(kind: CameraKind) -> None:
    assert kind.help
    assert not kind.help.endswith(".")
    assert kind.written.startswith(kind.name)
    assert camera_kind(f"{kind.name}:") is kind


def test_cameras_with_automatics_settle_for_more_than_the_ten_frames_these_need() -> None:
    settle = {kind.name: kind.settle_frames for kind in CAMERAS.all()}
    assert settle["picamera2"] == settle["v4l2"] >= 10
    assert settle["files"] == settle["simulated"] == 0


def test_only_a_moving_stage_steps_and_only_files_end() -> None:
    assert {kind.name for kind in CAMERAS.all() if kind.steps_by_itself} == {"files", "simulated"}
    assert {kind.name for kind in CAMERAS.all() if not kind.live} == {"files"}
    assert {kind.name for kind in CAMERAS.all() if kind.simulated} == {"simulated"}


def test_a_kind_without_controls_is_never_given_any(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[CameraRequest] = []

    def refuse(name: object, request: CameraRequest) -> None:
        asked.append(request)
        raise CameraError("not opened in this test")

    kinds = {
        takes: CameraKind(name="toy", help="a toy", open=refuse, takes_controls=takes)  # type: ignore[arg-type]
        for takes in (False, True)
    }
    for takes, kind in kinds.items():
        monkeypatch.setattr(CAMERAS, "find", lambda name, kind=kind: kind)
        with pytest.raises(CameraError):
            open_camera("toy:", size=(640, 480), controls={"ExposureTime": 10_000})
        assert asked[-1].size == (640, 480)
        assert bool(asked[-1].controls) is takes


def test_the_address_of_a_stream_keeps_its_own_question_mark() -> None:
    assert parse_name("http://microscope/video?size=a").target == "//microscope/video?size=a"


def test_options_follow_a_question_mark() -> None:
    parsed = parse_name("simulated:7?class=Pre")
    assert (parsed.kind, parsed.target, parsed.options) == ("simulated", "7", {"class": "Pre"})
