"""What commands share: a camera that was just opened settles before its first frame counts."""

import pytest

from device.cameras.registry import camera_kind
from device.commands.options import settle
from device.settings import Settings
from tests.device.faults import Microscope


@pytest.mark.parametrize("name", ["v4l2:/dev/test", "picamera2:0"])
def test_a_camera_with_automatics_drops_the_frames_of_its_kind(name: str) -> None:
    camera = Microscope(name)
    settle(camera, Settings())
    assert camera.frames == camera_kind(name).settle_frames >= 10


@pytest.mark.parametrize("name", ["files:/fields", "simulated:7"])
def test_no_field_of_a_stage_that_moves_by_itself_is_dropped(name: str) -> None:
    camera = Microscope(name)
    settle(camera, Settings())
    assert camera.frames == 0
