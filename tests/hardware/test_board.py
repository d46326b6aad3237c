"""Speed, heat, power and screen of the board under the work it will do."""

import os
import time
from pathlib import Path

import pytest

from device.cameras.registry import open_camera
from device.cameras.threaded_camera import STALE_S
from device.model_choice import open_processor
from device.screen.displays import open_display
from device.settings import Settings
from device.system.health import read_health, throttle_words
from device.system.process import set_process_defaults
from smear.inference.frame_processor import FrameProcessor

FIELDS = 20
SOAK_S = 300.0  # a Pi 4 without a fan reaches its final temperature in about five minutes of load
HOTTEST_C = 80.0  # the firmware throttles from here on
NOW = {"undervoltage now", "frequency capped now", "throttled now", "soft temperature limit now"}


@pytest.fixture(scope="module")
def processor(tmp_path_factory: pytest.TempPathFactory) -> FrameProcessor:
    """The bundle that ships, as the service would open it."""
    return open_processor(Settings(), tmp_path_factory.mktemp("data"))


def test_the_board_tells_its_temperature_and_whether_it_is_throttled() -> None:
    health = read_health()
    assert health.temperature_c is not None
    assert health.throttled is not None


def test_a_field_is_examined_before_its_picture_is_stale(processor: FrameProcessor) -> None:
    camera = open_camera("simulated:7")
    took_s = []
    for _ in range(FIELDS):
        frame = camera.read(1.0)
        begin_s = time.monotonic()
        processor.examine(frame)
        took_s.append(time.monotonic() - begin_s)
    assert sorted(took_s)[FIELDS // 2] < STALE_S


def test_five_minutes_of_work_neither_throttle_nor_starve_the_board(processor: FrameProcessor) -> None:
    camera = open_camera("simulated:7")
    begin_s = time.monotonic()
    while time.monotonic() - begin_s < SOAK_S:
        processor.examine(camera.read(1.0))
    health = read_health()
    assert health.throttled is not None
    assert not NOW & set(throttle_words(health.throttled))
    assert health.temperature_c is not None
    assert health.temperature_c < HOTTEST_C


def test_the_screen_on_the_gpu_shows_and_is_given_back() -> None:
    if not list(Path("/dev/dri").glob("card*")):
        pytest.skip("no screen: /dev/dri has no card; connect a display and enable dtoverlay=vc4-kms-v3d")
    set_process_defaults(os.environ)  # as the command does at its start
    for _ in range(2):  # the second time fails if the first did not give it back
        screen = open_display("kmsdrm")
        try:
            width, height = screen.size
            assert min(width, height) >= 480
        finally:
            screen.close()
