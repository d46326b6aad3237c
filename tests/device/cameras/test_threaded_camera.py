"""The thread behind a real camera: newest frame, faults and hangs."""

import gc
import threading
import weakref
from collections.abc import Callable

import numpy as np
import pytest

from device.cameras.latest_slot import LatestSlot
from device.cameras.threaded_camera import LiveCamera
from smear.errors import CameraError


class ScriptedSource:
    """A driver that plays what the test tells it."""

    def __init__(self, grab: Callable[[int], np.ndarray]) -> None:
        self._grab = grab
        self._count = 0
        self.released = threading.Event()

    def grab(self) -> np.ndarray:
        self._count += 1
        return self._grab(self._count)

    def to_rgb(self, raw: np.ndarray) -> np.ndarray:
        return raw

    def release(self) -> None:
        self.released.set()


def picture(value: int) -> np.ndarray:
    return np.full((8, 8, 3), value % 256, np.uint8)


def test_the_slot_hands_out_only_the_newest_value() -> None:
    slot: LatestSlot[int] = LatestSlot()
    slot.put(1)
    slot.put(2)
    assert slot.take(0, max_age_s=10) == 2


def test_the_slot_hands_out_a_value_only_once() -> None:
    slot: LatestSlot[int] = LatestSlot()
    slot.put(1)
    slot.take(0, max_age_s=10)
    with pytest.raises(TimeoutError):
        slot.take(0.01, max_age_s=10)


def test_the_slot_throws_a_stale_value_away() -> None:
    slot: LatestSlot[int] = LatestSlot()
    slot.put(1)
    with pytest.raises(TimeoutError):
        slot.take(0.01, max_age_s=-1)


def test_the_slot_gives_its_last_value_before_its_failure() -> None:
    slot: LatestSlot[int] = LatestSlot()
    slot.put(1)
    slot.fail(CameraError("lost"))
    assert slot.take(0, max_age_s=10) == 1
    with pytest.raises(CameraError, match="lost"):
        slot.take(0, max_age_s=10)


def test_a_live_camera_skips_frames_that_nobody_read() -> None:
    third, go_on = threading.Event(), threading.Event()

    def grab(count: int) -> np.ndarray:
        if count == 4:
            third.set()
            go_on.wait()
        return picture(count)

    camera = LiveCamera("test:", lambda: ScriptedSource(grab))
    assert third.wait(5)
    assert camera.read(5).image[0, 0, 0] == 3
    go_on.set()
    camera.close()


def test_a_driver_that_hangs_ends_in_a_camera_error_in_time() -> None:
    never = threading.Event()
    camera = LiveCamera("test:", lambda: ScriptedSource(lambda _: picture(int(never.wait()))))
    with pytest.raises(CameraError, match=r"no frame within 0\.05 s; check its cable"):
        camera.read(0.05)
    never.set()
    camera.close()


def test_a_driver_that_hangs_while_opening_ends_in_a_camera_error_in_time() -> None:
    never = threading.Event()

    def open_source() -> ScriptedSource:
        never.wait()
        return source

    source = ScriptedSource(picture)
    with pytest.raises(CameraError, match="did not open within"):
        LiveCamera("test:", open_source, open_timeout_s=0.05)
    never.set()
    assert source.released.wait(5), "what opened too late is given back"


@pytest.mark.parametrize("error", [RuntimeError("dmabuf"), OSError(19, "No such device"), IndexError("list")])
def test_whatever_a_driver_raises_reaches_the_reader_as_a_camera_error(error: Exception) -> None:
    def grab(count: int) -> np.ndarray:
        raise error

    source = ScriptedSource(grab)
    camera = LiveCamera("test:", lambda: source)
    with pytest.raises(CameraError, match=r"camera test: was lost \(.+\); check") as caught:
        camera.read(5)
    assert caught.value.__cause__ is error
    camera.close()
    assert source.released.is_set()


def test_a_picture_that_cannot_be_converted_is_a_camera_error() -> None:
    class Truncated(ScriptedSource):
        def to_rgb(self, raw: np.ndarray) -> np.ndarray:
            return raw.reshape(100, 100, 3)

    camera = LiveCamera("test:", lambda: Truncated(picture))
    with pytest.raises(CameraError, match="delivered a picture that cannot be read"):
        camera.read(5)
    camera.close()


def test_a_camera_asked_again_after_its_end_does_not_grow_its_error() -> None:
    slot: LatestSlot[int] = LatestSlot()
    slot.fail(CameraError("lost"))
    depths = []
    for _ in range(3):
        with pytest.raises(CameraError) as caught:
            slot.take(0, max_age_s=10)
        depths.append(len(caught.traceback))
    assert depths[0] == depths[2]


def test_whatever_opening_raises_reaches_the_caller_as_a_camera_error() -> None:
    def open_source() -> ScriptedSource:
        raise RuntimeError("Camera __init__ sequence did not complete.")

    with pytest.raises(CameraError, match=r"cannot be opened .*sequence did not complete"):
        LiveCamera("test:", open_source)


def test_closing_gives_the_hardware_back_and_may_be_done_twice() -> None:
    source = ScriptedSource(picture)
    camera = LiveCamera("test:", lambda: source, pixel_size_um=0.2)
    assert camera.read(5).pixel_size_um == 0.2
    camera.close()
    camera.close()
    assert source.released.is_set()
    with pytest.raises(CameraError, match="is closed"):
        camera.read(1)


class Handle:
    """What a driver keeps of its hardware; the hardware is free when nobody holds it."""


def test_an_error_that_somebody_keeps_keeps_no_camera() -> None:
    handles: list[weakref.ref[Handle]] = []

    def held() -> None:
        handle = Handle()
        handles.append(weakref.ref(handle))
        raise OSError("unplugged")

    def open_source() -> ScriptedSource:
        held()
        return ScriptedSource(lambda count: picture(count))

    gc.disable()
    try:
        with pytest.raises(CameraError) as refused:
            LiveCamera("v4l2:0", open_source)
        camera = LiveCamera("v4l2:0", lambda: ScriptedSource(lambda count: held() or picture(count)))
        with pytest.raises(CameraError) as lost:
            camera.read(5)
        camera.close()
        assert [handle() for handle in handles] == [None, None]
    finally:
        gc.enable()
    assert "cannot be opened (unplugged)" in str(refused.value)
    assert "was lost (unplugged)" in str(lost.value)
