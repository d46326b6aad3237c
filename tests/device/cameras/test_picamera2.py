"""The Pi's cameras, against a stand-in for the picamera2 module; the real one runs in tests/virtual_device."""

import sys
import threading
import time
from concurrent.futures import CancelledError
from types import ModuleType, SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from device.cameras.picamera2 import yuv_to_rgb
from device.cameras.registry import open_camera
from smear.errors import CameraError

RGB = np.zeros((48, 64, 3), np.uint8)
RGB[:, :32] = (200, 30, 40)
RGB[:, 32:] = (30, 40, 200)
PADDING = 16  # bytes at the end of each row, as the ISP aligns them
ROUNDING = 3  # 8-bit YCbCr and back


def full_range_planes(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return Y, Cb, Cr as JPEG and sYCC define them, chroma at half size."""
    luma, red, blue = cv2.split(cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb))
    return luma, blue[::2, ::2], red[::2, ::2]


def padded(plane: np.ndarray, padding: int) -> np.ndarray:
    return np.pad(plane.reshape(plane.shape[0], -1), ((0, 0), (0, padding))).ravel()


def buffer_of(pixel_format: str) -> tuple[np.ndarray, int]:
    """Return the bytes libcamera would deliver in `pixel_format`, and the stride."""
    alpha = np.full((*RGB.shape[:2], 1), 255, np.uint8)
    packed = {
        "BGR888": RGB,
        "RGB888": RGB[..., ::-1],
        "XBGR8888": np.concatenate([RGB, alpha], axis=2),
        "XRGB8888": np.concatenate([RGB[..., ::-1], alpha], axis=2),
    }
    if pixel_format in packed:
        picture = packed[pixel_format]
        return padded(picture, PADDING), picture.shape[1] * picture.shape[2] + PADDING
    luma, blue, red = full_range_planes(RGB)
    stride = luma.shape[1] + PADDING
    if pixel_format in {"NV12", "NV21"}:
        pairs = np.stack([blue, red] if pixel_format == "NV12" else [red, blue], axis=2)
        return np.concatenate([padded(luma, PADDING), padded(pairs, PADDING)]), stride
    first, second = (blue, red) if pixel_format == "YUV420" else (red, blue)
    chroma = [padded(plane, PADDING // 2) for plane in (first, second)]
    return np.concatenate([padded(luma, PADDING), *chroma]), stride


class FakePicamera2:
    """Keeps what was asked of it, and delivers `granted` whatever was asked."""

    granted = "BGR888"
    cameras = 1
    lost = hangs = False
    made: "list[FakePicamera2]"

    def __init__(self, index: int) -> None:
        self.index = index
        self.state = "open"
        self.asked: dict[str, Any] = {}
        self.cancelled = threading.Event()
        type(self).made.append(self)

    @classmethod
    def global_camera_info(cls) -> list[dict[str, Any]]:
        return [{"Model": "imx477"}] * cls.cameras

    def create_preview_configuration(self, **asked: Any) -> dict[str, Any]:
        return asked

    def configure(self, asked: dict[str, Any]) -> None:
        self.asked = asked

    def camera_configuration(self) -> dict[str, Any]:
        stride = buffer_of(self.granted)[1]
        main = {"size": (RGB.shape[1], RGB.shape[0]), "format": self.granted, "stride": stride}
        return {"main": main, "colour_space": SimpleNamespace(ycbcrEncoding="YcbcrEncoding.Rec601", range="Range.Full")}

    def start(self) -> None:
        self.state = "started"

    def capture_buffer(self, stream: str, wait: float) -> np.ndarray:
        if self.lost:
            raise TimeoutError
        if self.hangs:
            assert self.cancelled.wait(wait)
            raise CancelledError
        return buffer_of(self.granted)[0]

    def cancel_all_and_flush(self) -> None:
        assert self.state == "started", "what stops the camera must not be cancelled"
        self.cancelled.set()

    def stop(self) -> None:
        self.state = "stopped"

    def close(self) -> None:
        self.state = "closed"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakePicamera2]:
    """Put the stand-in where `import picamera2` finds it."""
    module = ModuleType("picamera2")
    driver = type("Picamera2", (FakePicamera2,), {"made": []})
    module.Picamera2 = driver  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "picamera2", module)
    return driver


@pytest.mark.parametrize("granted", ["BGR888", "RGB888", "XBGR8888", "XRGB8888", "NV12", "NV21", "YUV420", "YVU420"])
def test_the_colours_are_right_in_every_format_that_may_be_granted(fake: type[FakePicamera2], granted: str) -> None:
    fake.granted = granted
    camera = open_camera("picamera2:")
    image = camera.read(5).image
    camera.close()
    assert image.shape == RGB.shape
    np.testing.assert_allclose(image[24, 8].astype(int), RGB[24, 8].astype(int), atol=ROUNDING)
    np.testing.assert_allclose(image[24, 56].astype(int), RGB[24, 56].astype(int), atol=ROUNDING)


def test_the_format_asked_for_lies_in_memory_as_rgb(fake: type[FakePicamera2]) -> None:
    camera = open_camera("picamera2:", size=(640, 480), controls={"AeEnable": False})
    camera.close()
    asked = fake.made[0].asked
    assert asked["main"] == {"size": (640, 480), "format": "BGR888"}
    assert asked["controls"] == {"AeEnable": False}


def test_a_camera_that_fails_half_way_is_let_go_of_for_the_next_attempt(fake: type[FakePicamera2]) -> None:
    def without_heap(self: FakePicamera2, index: int) -> None:
        FakePicamera2.__init__(self, index)
        raise PermissionError("/dev/dma_heap/system")

    fake.__init__ = without_heap  # type: ignore[method-assign]
    with pytest.raises(CameraError):
        open_camera("picamera2:")
    assert fake.made[0].state == "closed"


def test_a_format_that_cannot_be_read_is_named(fake: type[FakePicamera2], monkeypatch: pytest.MonkeyPatch) -> None:
    real = fake.camera_configuration
    monkeypatch.setattr(
        fake, "camera_configuration", lambda self: {**real(self), "main": {**real(self)["main"], "format": "R8"}}
    )
    camera = open_camera("picamera2:")
    with pytest.raises(CameraError, match="delivers R8, which Smearscope cannot read"):
        camera.read(5)
    camera.close()


def test_a_camera_that_stops_giving_frames_is_closed_and_says_what_to_check(fake: type[FakePicamera2]) -> None:
    fake.lost = True
    camera = open_camera("picamera2:0")
    with pytest.raises(CameraError, match="stopped giving pictures; switch off and check the ribbon cable"):
        camera.read(5)
    camera.close()
    assert fake.made[0].state == "closed"


def test_closing_a_camera_that_hangs_ends_its_waiting(fake: type[FakePicamera2]) -> None:
    fake.hangs = True
    camera = open_camera("picamera2:0")
    began_s = time.monotonic()
    camera.close()
    camera.close()
    assert time.monotonic() - began_s < 1
    assert fake.made[0].state == "closed"


def test_an_index_without_a_camera_says_how_many_there_are(fake: type[FakePicamera2]) -> None:
    with pytest.raises(CameraError, match=r"finds 1 camera; .*rpicam-hello --list-cameras"):
        open_camera("picamera2:1")


def test_a_missing_picamera2_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(CameraError, match="apt install python3-picamera2"):
        open_camera("picamera2:")


def test_a_word_for_an_index_is_refused(fake: type[FakePicamera2]) -> None:
    with pytest.raises(CameraError, match="'front' is not an index"):
        open_camera("picamera2:front")


@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), (180, 90, 160)])
def test_limited_range_is_converted_as_opencv_does(colour: tuple[int, int, int]) -> None:
    flat = np.full((4, 4, 3), colour, np.uint8)
    planar = cv2.cvtColor(flat, cv2.COLOR_RGB2YUV_I420)
    blue, red = planar[4, :].reshape(2, 2), planar[5, :].reshape(2, 2)
    image = yuv_to_rgb(planar[:4], blue, red, "Rec601", full_range=False)
    np.testing.assert_allclose(image[0, 0].astype(int), colour, atol=ROUNDING)
