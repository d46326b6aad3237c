"""What only a real Raspberry Pi can show: `make test-hardware` there, the service stopped, a slide in focus."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from device.cameras.base import Camera
from device.cameras.registry import open_camera
from smear.errors import CameraError

MODEL = Path("/proc/device-tree/model")


def board() -> str:
    """Return the name of the board, such as "Raspberry Pi 5 Model B Rev 1.0"; empty where there is none."""
    return MODEL.read_text(encoding="ascii").strip("\0\n") if MODEL.exists() else ""


@pytest.fixture(scope="session", autouse=True)
def _on_a_pi() -> None:
    if "Raspberry Pi" not in board():
        pytest.skip(f"needs a Raspberry Pi; this is {board() or 'another machine'}")


@pytest.fixture
def camera() -> Iterator[Camera]:
    """The camera on the ribbon cable."""
    try:
        opened = open_camera("picamera2:0")
    except CameraError as error:
        pytest.skip(str(error))
    yield opened
    opened.close()
