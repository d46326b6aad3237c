"""The sensor and the Pi's own image processor, which no virtual camera has."""

import numpy as np

from device.cameras.base import Camera
from device.cameras.registry import open_camera

FRAMES = 30
LEAST_RATE = 5.0  # frames a second: slower than this, the stage cannot be moved by what the screen shows
REOPENINGS = 20  # as often as the fault tests unplug a camera


def test_frames_come_fast_enough_to_move_the_stage_by(camera: Camera) -> None:
    camera.read(5.0)
    taken_s = [camera.read(5.0).monotonic_s for _ in range(FRAMES)]
    assert taken_s == sorted(set(taken_s))
    assert (FRAMES - 1) / (taken_s[-1] - taken_s[0]) >= LEAST_RATE


def test_a_lit_field_is_neither_black_nor_burnt_out(camera: Camera) -> None:
    frames = [camera.read(5.0) for _ in range(FRAMES)]  # the exposure settles in the first ones
    assert 0.1 < frames[-1].image.mean() / 255 < 0.95


def test_every_sensor_mode_is_listed(camera: Camera) -> None:
    from picamera2 import Picamera2  # here, so that other machines can collect this file

    camera.close()
    sensor = Picamera2(0)
    try:
        assert sensor.sensor_modes
    finally:
        sensor.close()


def test_the_same_still_field_gives_the_same_picture(camera: Camera) -> None:
    frames = [camera.read(5.0).image.astype(np.int16) for _ in range(FRAMES)]
    # Sensor noise of one frame at unity gain is 1 to 3 of 255; more means that exposure or white balance wander.
    assert np.abs(frames[-1].mean(axis=(0, 1)) - frames[-10].mean(axis=(0, 1))).max() < 3


def test_it_opens_again_each_time_it_was_closed() -> None:
    for _ in range(REOPENINGS):
        opened = open_camera("picamera2:0")
        try:
            assert opened.read(5.0).image.size
        finally:
            opened.close()
