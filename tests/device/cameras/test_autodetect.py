"""`auto`: the first attached camera that opens, and what it says when none does."""

from pathlib import Path

import numpy as np
import pytest

from device.cameras.base import Camera
from device.cameras.registry import attached_cameras, open_camera, open_first
from device.cameras.v4l2 import capture_devices
from smear.errors import CameraError
from smear.images import write_image


def test_auto_tries_picamera2_then_v4l2_and_says_what_failed() -> None:
    tried: list[str] = []

    def refuse(name: str) -> Camera:
        tried.append(name)
        raise CameraError(f"camera {name} is not there")

    candidates = ["picamera2:0", "v4l2:/dev/video0", "v4l2:/dev/video2"]
    with pytest.raises(
        CameraError, match=r"no camera found: .*picamera2:0 is not there; .*video2 is not there"
    ) as said:
        open_first(candidates, refuse)
    assert tried == candidates
    assert "--camera simulated:" in str(said.value), "it says how to ask for the simulated one, and does not open it"


def test_auto_takes_the_first_that_opens(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", np.zeros((40, 40, 3), np.uint8))

    def second(name: str) -> Camera:
        if name == "picamera2:0":
            raise CameraError("not there")
        return open_camera(f"files:{tmp_path}")

    assert open_first(["picamera2:0", "v4l2:/dev/video0"], second).name == f"files:{tmp_path}"


def test_auto_tries_the_camera_of_the_pi_first_and_no_simulated_one() -> None:
    candidates = attached_cameras()
    assert candidates[0] == "picamera2:0"
    assert all(name.startswith("v4l2:/dev/video") for name in candidates[1:])


def test_a_file_that_is_no_device_is_not_offered(tmp_path: Path) -> None:
    (tmp_path / "video0").write_text("")
    (tmp_path / "videology").write_text("")
    assert capture_devices(tmp_path) == []
