"""`auto`, and names that are no camera."""

from pathlib import Path

import numpy as np
import pytest

from device.cameras.autodetect import capture_devices, open_auto
from device.cameras.base import Camera
from device.cameras.files import FilesCamera
from device.cameras.registry import open_camera
from device.cameras.uri import CameraName, parse_name
from smear.errors import CameraError
from smear.images import write_image


def test_auto_tries_picamera2_then_v4l2_and_says_what_failed() -> None:
    tried: list[str] = []

    def refuse(name: CameraName) -> Camera:
        tried.append(name.text)
        raise CameraError(f"camera {name.text} is not there")

    with pytest.raises(
        CameraError, match=r"no camera found: .*picamera2:0 is not there; .*video2 is not there"
    ) as said:
        open_auto(refuse, lambda: ["/dev/video0", "/dev/video2"])
    assert tried == ["picamera2:0", "v4l2:/dev/video0", "v4l2:/dev/video2"]
    assert "--camera simulated:" in str(said.value), "it says how to ask for the simulated one, and does not open it"


def test_auto_takes_the_first_that_opens(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", np.zeros((40, 40, 3), np.uint8))

    def second(name: CameraName) -> Camera:
        if name.kind == "picamera2":
            raise CameraError("not there")
        return FilesCamera(CameraName(name.text, "files", str(tmp_path)))

    assert open_auto(second, lambda: ["/dev/video0"]).name == "v4l2:/dev/video0"


def test_a_file_that_is_no_device_is_not_offered(tmp_path: Path) -> None:
    (tmp_path / "video0").write_text("")
    (tmp_path / "videology").write_text("")
    assert capture_devices(tmp_path) == []


@pytest.mark.parametrize("name", ["", "webcam", "microscope:0"])
def test_an_unknown_kind_lists_the_known_ones(name: str) -> None:
    with pytest.raises(CameraError, match=r"is no camera; write one of: picamera2:\[index\]"):
        open_camera(name)


def test_a_stream_address_keeps_its_own_question_mark() -> None:
    assert parse_name("v4l2:http://microscope/video?user=a").target == "http://microscope/video?user=a"


def test_options_follow_a_question_mark() -> None:
    parsed = parse_name("simulated:7?class=Pre")
    assert (parsed.kind, parsed.target, parsed.options) == ("simulated", "7", {"class": "Pre"})
