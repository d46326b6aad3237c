"""V4L2 through OpenCV, against a stream that OpenCV can read."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from device.cameras.base import Camera
from device.cameras.registry import open_camera
from smear.errors import CameraError

COLOUR_TOLERANCE = 12  # MJPG at OpenCV's default quality keeps a flat patch within this of what was drawn


@pytest.fixture
def stream(tmp_path: Path) -> Path:
    """Five frames a second apart at 50 Hz: red left, blue right."""
    path = tmp_path / "stream.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 50, (64, 48))
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:, :32] = (0, 0, 255)  # BGR, as OpenCV writes
    picture[:, 32:] = (255, 0, 0)
    for _ in range(5):
        writer.write(picture)
    writer.release()
    return path


def read_until_it_ends(camera: Camera) -> None:
    while True:
        camera.read(5)


def test_red_stays_red_and_blue_stays_blue(stream: Path) -> None:
    camera = open_camera(f"v4l2:{stream}", pixel_size_um=0.3)
    frame = camera.read(5)
    camera.close()
    assert frame.image.shape == (48, 64, 3)
    np.testing.assert_allclose(frame.image[24, 12], (255, 0, 0), atol=COLOUR_TOLERANCE)
    np.testing.assert_allclose(frame.image[24, 52], (0, 0, 255), atol=COLOUR_TOLERANCE)
    assert (frame.source, frame.pixel_size_um, camera.simulated) == (f"v4l2:{stream}", 0.3, False)


def test_a_stream_that_ends_is_a_lost_camera(stream: Path) -> None:
    camera = open_camera(f"v4l2:{stream}")
    with pytest.raises(CameraError, match="stopped giving pictures; check the USB cable"):
        read_until_it_ends(camera)
    camera.close()


def test_a_device_that_is_not_there_says_so() -> None:
    with pytest.raises(CameraError, match="v4l2:/dev/video77: no such device; plug the camera in"):
        open_camera("v4l2:/dev/video77")


def test_a_file_that_is_no_video_says_so(tmp_path: Path) -> None:
    path = tmp_path / "notes.avi"
    path.write_text("not a video")
    with pytest.raises(CameraError, match="delivers no pictures"):
        open_camera(f"v4l2:{path}")


def test_a_folder_points_to_the_files_camera(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="write files:"):
        open_camera(f"v4l2:{tmp_path}")


def test_a_control_the_camera_does_not_have_is_named(stream: Path) -> None:
    with pytest.raises(CameraError, match="does not accept the control WARP_FACTOR=9"):
        open_camera(f"v4l2:{stream}", controls={"WARP_FACTOR": 9})


def test_an_unknown_option_is_named_with_those_allowed(stream: Path) -> None:
    with pytest.raises(CameraError, match="option 'loop' is not known; allowed here: fourcc"):
        open_camera(f"v4l2:{stream}?loop=1")
