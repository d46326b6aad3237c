"""V4L2 through OpenCV, against a stream that OpenCV can read."""

import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from device.cameras.base import Camera, grant_of
from device.cameras.registry import open_camera
from device.cameras.v4l2 import serial_of, stable_path
from device.cli import cli
from device.store import Store
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


def test_an_address_is_a_camera_in_the_network() -> None:
    with pytest.raises(CameraError, match=r"write its address alone: http://microscope/video"):
        open_camera("v4l2:http://microscope/video")


def test_a_folder_points_to_the_files_camera(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="write files:"):
        open_camera(f"v4l2:{tmp_path}")


def test_a_control_the_camera_does_not_have_is_named(stream: Path) -> None:
    with pytest.raises(CameraError, match="does not accept the control WARP_FACTOR=9"):
        open_camera(f"v4l2:{stream}", controls={"WARP_FACTOR": 9})


class Stubborn:
    """What OpenCV gives for a camera that delivers 640x480 YUYV whatever it is asked for, as many do."""

    def isOpened(self) -> bool:
        return True

    def set(self, prop: int, value: float) -> bool:
        return prop != cv2.CAP_PROP_FOURCC

    def get(self, prop: int) -> float:
        fourcc = cv2.VideoWriter.fourcc(*"YUYV")
        return {cv2.CAP_PROP_FRAME_WIDTH: 640, cv2.CAP_PROP_FRAME_HEIGHT: 480, cv2.CAP_PROP_FOURCC: fourcc}.get(prop, 0)

    def read(self) -> tuple[bool, np.ndarray]:
        return True, np.full((480, 640, 3), 200, np.uint8)

    def release(self) -> None: ...


@pytest.fixture
def stubborn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device.cameras.v4l2.open_capture", lambda target, device: Stubborn())
    monkeypatch.setattr("device.cameras.v4l2._find_device", lambda target: 0)


def test_what_was_asked_for_and_not_granted_is_known(stubborn: None) -> None:
    camera = open_camera("v4l2:/dev/video0?fourcc=MJPG", size=(1920, 1080))
    granted = grant_of(camera)
    camera.close()
    assert (granted.size, granted.pixel_format) == ((640, 480), "YUYV")
    size, fourcc = granted.differences
    assert "delivers 640x480, not the 1920x1080 asked for" in size
    assert "delivers YUYV, not the MJPG asked for" in fourcc


def test_the_controls_of_a_calibration_are_set_in_the_kernel_s_words(
    stubborn: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str, int]] = []
    monkeypatch.setattr("device.cameras.v4l2.set_control", lambda *words: asked.append(words))
    monkeypatch.setattr("device.cameras.v4l2.settled_controls", lambda node: {"gain": 3})
    camera = open_camera("v4l2:/dev/video0", controls={"auto_exposure": 1, "exposure_time_absolute": 156})
    assert asked == [("/dev/video0", "auto_exposure", 1), ("/dev/video0", "exposure_time_absolute", 156)]
    assert camera.settled_controls() == {"gain": 3}  # type: ignore[attr-defined]
    camera.close()


@pytest.mark.parametrize(("asked", "scale"), [((1920, 1080), None), ((640, 480), 0.1), (None, 0.1)])
def test_the_pixel_size_of_the_size_asked_for_is_not_that_of_another(
    stubborn: None, asked: tuple[int, int] | None, scale: float | None
) -> None:
    camera = open_camera("v4l2:/dev/video0", pixel_size_um=0.1, size=asked)
    assert camera.read(5).pixel_size_um == scale
    camera.close()


def test_a_camera_that_hangs_is_given_up_after_the_read_in_which_it_is_closed(
    stubborn: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, over, reads = threading.Event(), threading.Event(), []

    def hangs(self: Stubborn) -> tuple[bool, None]:
        reads.append(1)
        begun.set()
        over.wait(5)
        return False, None

    monkeypatch.setattr(Stubborn, "read", hangs)
    released = threading.Event()
    monkeypatch.setattr(Stubborn, "release", lambda self: released.set())
    camera = open_camera("v4l2:/dev/video0")
    assert begun.wait(5)
    threading.Timer(0.2, over.set).start()
    camera.close()
    assert released.wait(5)
    assert len(reads) == 1


def test_run_and_doctor_say_that_another_size_is_delivered(stubborn: None, tmp_path: Path) -> None:
    settings = tmp_path / "c.toml"
    settings.write_text('[camera]\nname = "v4l2:/dev/video0"\nwidth = 1920\nheight = 1080\npixel_size_um = 0.1\n')
    where = ["--config", str(settings), "--data", str(tmp_path)]
    ran = CliRunner().invoke(cli, ["run", "--fields", "1", "--display", "none", *where])
    assert ran.stderr.count("delivers 640x480, not the 1920x1080 asked for") == 1
    with Store.read(tmp_path, 1.0) as records:
        assert [field.pixel_size_um for field in records.fields(1)] == [None]
    found = CliRunner().invoke(cli, ["doctor", *where])
    assert "camera        camera v4l2:/dev/video0 delivers 640x480" in found.stdout


def test_a_camera_is_called_by_the_link_that_names_its_serial_number(tmp_path: Path) -> None:
    links = tmp_path / "by-id"
    links.mkdir()
    (links / "usb-Maker_Scope_42-video-index0").symlink_to("/dev/video3")
    assert stable_path("/dev/video3", links) == str(links / "usb-Maker_Scope_42-video-index0")
    assert stable_path("/dev/video4", links) == "/dev/video4"
    assert stable_path("http://microscope/video", links) == "http://microscope/video"


def test_a_serial_number_is_read_from_the_usb_device(tmp_path: Path) -> None:
    interface = tmp_path / "usb" / "1-1" / "1-1:1.0"
    interface.mkdir(parents=True)
    (tmp_path / "usb" / "1-1" / "serial").write_text("SN 42\n")
    (tmp_path / "video3").mkdir()
    (tmp_path / "video3" / "device").symlink_to(interface)
    assert serial_of("/dev/video3", tmp_path) == "SN 42"
    assert serial_of("/dev/video4", tmp_path) == ""


def test_an_unknown_option_is_named_with_those_allowed(stream: Path) -> None:
    with pytest.raises(CameraError, match="option 'loop' is not known; allowed here: fourcc"):
        open_camera(f"v4l2:{stream}?loop=1")
