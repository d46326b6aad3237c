"""What every kind of camera keeps, over the real servers and the fake hardware of others."""

import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

from device.cameras.base import Camera, grant_of
from device.cameras.registry import camera_kind, open_camera
from smear.errors import CameraError, SmearscopeError
from tests.device.cameras.contract.benches import Bench

FRAME_S = 10.0  # far more than any needs, on a busy machine
LOSSES = 20
GONE_S = 20.0  # after closing: Aravis asks a camera that is gone six times to stop, and to let go
CLOSE_S = 3.0
LIBRARY_THREADS = 2  # that a library starts once and keeps, such as OpenCV's and GLib's


def threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("camera ")}


def native_threads() -> int:
    return sum(1 for _ in Path("/proc/self/task").iterdir())


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def left() -> tuple[int, int]:
    """Return how many descriptors and threads of the system there are once every camera's thread has ended."""
    for thread in threads():
        thread.join(GONE_S)
    assert threads() == set()
    return descriptors(), native_threads()


def assert_nothing_left(before: tuple[int, int]) -> None:
    now = left()
    assert now[0] <= before[0], "descriptors are left open"
    assert now[1] <= before[1] + LIBRARY_THREADS, "threads are left"


def read_until_lost(camera: Camera) -> None:
    while True:
        camera.read(1.0)


def test_colours_and_size_are_those_of_what_it_looks_at(bench: Bench) -> None:
    camera = open_camera(bench.name, size=bench.size)
    frame = camera.read(FRAME_S)
    granted = grant_of(camera)
    camera.close()
    assert (frame.image.shape, str(frame.image.dtype)) == ((*bench.size[::-1], 3), "uint8")
    assert granted.size in (bench.size, None)
    assert granted.differences == ()
    assert (frame.source, camera.name) == (camera.name, bench.name) or not camera_kind(bench.name).live
    bench.assert_picture(frame.image)


def test_a_size_that_is_not_granted_is_said_and_the_scale_is_not_that_of_the_size_asked_for(bench: Bench) -> None:
    if not bench.asks_size:
        pytest.skip("takes every size, or keeps its own without being asked")
    asked, delivered = bench.refused_size
    camera = open_camera(bench.name, size=asked, pixel_size_um=0.1)
    frame = camera.read(FRAME_S)
    granted = grant_of(camera)
    camera.close()
    assert granted.size == (frame.image.shape[1], frame.image.shape[0]) == delivered
    said = f"delivers {delivered[0]}x{delivered[1]}, not the {asked[0]}x{asked[1]} asked for"
    assert said in granted.differences[0]
    assert frame.pixel_size_um is None


def test_no_frame_is_given_twice(bench: Bench) -> None:
    camera = open_camera(bench.name)
    frames = [camera.read(FRAME_S) for _ in range(3)]
    camera.close()
    assert [frame.sequence for frame in frames] == [0, 1, 2]
    times = [frame.monotonic_s for frame in frames]
    assert times == sorted(set(times))
    if not bench.repeats:
        assert all((one.image != other.image).any() for one, other in pairwise(frames))


def test_it_is_lost_and_comes_back_twenty_times(bench: Bench) -> None:
    if not bench.losable:
        pytest.skip("cannot be lost")
    before = (0, 0)
    for turn in range(LOSSES):
        camera = open_camera(bench.name)
        camera.read(FRAME_S)
        bench.lose()
        with pytest.raises(SmearscopeError):
            read_until_lost(camera)
        camera.close()
        if turn == 0:  # from here on nothing may grow
            before = left()
        bench.start(bench.size)
    assert_nothing_left((before[0] + 1, before[1]))  # the bench's own
    camera = open_camera(bench.name)
    bench.assert_picture(camera.read(FRAME_S).image)
    camera.close()


def test_back_with_another_size_it_is_opened_with_that_one(bench: Bench) -> None:
    if not bench.losable:
        pytest.skip("cannot be lost")
    bench.lose()
    bench.start(bench.other_size)
    camera = open_camera(bench.name, size=bench.other_size)
    image = camera.read(FRAME_S).image
    camera.close()
    assert image.shape[:2] == bench.other_size[::-1]
    bench.assert_picture(image)


def test_one_that_is_not_there_says_so_in_one_line(bench: Bench) -> None:
    if not bench.losable:
        pytest.skip("cannot be lost")
    bench.lose()
    before = (0, 0)
    for turn in range(3):
        with pytest.raises(CameraError) as caught:
            open_camera(bench.name)
        if turn == 0:  # a library may stay started, as libcamera does to see a camera come
            before = left()
    assert bench.name.partition("?")[0] in str(caught.value)
    assert "\n" not in str(caught.value)
    assert_nothing_left(before)


def test_a_hang_is_an_error_in_time_and_closing_does_not_wait_for_its_end(bench: Bench) -> None:
    if not bench.hangs:
        pytest.skip("cannot hang")
    before = left()
    camera = open_camera(bench.name)
    camera.read(FRAME_S)
    bench.hang()
    began = time.monotonic()
    with pytest.raises(CameraError, match=r"no frame within|stopped sending"):
        read_until_lost(camera)
    assert time.monotonic() - began < 4
    began = time.monotonic()
    camera.close()
    assert time.monotonic() - began < CLOSE_S
    assert_nothing_left(before)
    bench.go_on()
    bench.lose()
    bench.start(bench.size)
    camera = open_camera(bench.name)
    bench.assert_picture(camera.read(FRAME_S).image)
    camera.close()


def test_a_slow_one_gives_its_frames_all_the_same(bench: Bench) -> None:
    bench.lose()
    bench.start(bench.size, fps=1)
    camera = open_camera(bench.name)
    frames = [camera.read(FRAME_S) for _ in range(3)]
    camera.close()
    bench.assert_picture(frames[-1].image)


def test_closed_it_refuses_and_opened_again_it_gives_frames(bench: Bench) -> None:
    for _ in range(5):
        camera = open_camera(bench.name)
        camera.read(FRAME_S)
        camera.close()
        camera.close()
        with pytest.raises(CameraError):
            camera.read(1.0)
    before = left()
    camera = open_camera(bench.name)
    camera.close()
    assert_nothing_left(before)


def test_a_setting_that_it_refuses_leaves_it_free(bench: Bench) -> None:
    if not camera_kind(bench.name).takes_controls:
        pytest.skip("takes no settings")
    before = (0, 0)
    for turn in range(3):
        with pytest.raises(CameraError):
            open_camera(bench.name, controls={"Warp": 9})
        if turn == 0:
            before = left()
    assert_nothing_left(before)
    camera = open_camera(bench.name)
    camera.read(FRAME_S)
    camera.close()
