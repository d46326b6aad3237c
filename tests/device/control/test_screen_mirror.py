"""The mirror of the screen: copied only while somebody looks, encoded once for all, and touched in somebody's name."""

import threading

import cv2
import numpy as np
import pytest

from device.control import screen_mirror
from device.control.protocol import ControlError
from device.control.screen_mirror import EVERY_S, LOOKING_S, WIDTH_PX, ScreenMirror
from device.screen.navigation.inputs import Key, Tap, Text
from device.store import Store
from device.system.clock import ManualClock
from smear.errors import SmearscopeError


@pytest.fixture
def clock():
    return ManualClock(100.0)


@pytest.fixture
def mirror(clock, monkeypatch):
    monkeypatch.setattr(screen_mirror, "_FIRST_S", 0.01)
    return ScreenMirror(clock, lambda: None)


def screen(grey, size=(800, 480)):
    return np.full((size[1], size[0], 3), grey, np.uint8)


def looked(mirror):
    """Say that somebody looks."""
    with pytest.raises(ControlError, match="shows nothing yet"):
        mirror.picture()


def test_nobody_who_looks_costs_no_copy_and_no_drawing(mirror, clock):
    mirror.shown(screen(1))
    assert not mirror.wants_a_picture
    looked(mirror)
    assert mirror.wants_a_picture
    mirror.shown(screen(2))
    first = mirror.picture()
    assert cv2.imdecode(np.frombuffer(first["picture"], np.uint8), cv2.IMREAD_COLOR)[0, 0].tolist() == [2, 2, 2]
    assert mirror.picture(first["tag"]) == {"tag": first["tag"]}
    clock.advance(LOOKING_S + 1)
    assert mirror.touched() == []
    looked(mirror)  # the old picture is forgotten


def test_all_who_look_share_one_encoding_and_changes_come_no_faster_than_they_may(mirror, clock, monkeypatch):
    encoded = []
    monkeypatch.setattr(screen_mirror, "encode", lambda image, suffix: encoded.append(image.shape) or b"png")
    looked(mirror)
    mirror.shown(screen(1, (1920, 1080)))
    tags = {mirror.picture()["tag"] for _ in range(3)}
    mirror.shown(screen(2))
    assert not mirror.wants_a_picture
    assert {mirror.picture()["tag"]} == tags
    clock.advance(EVERY_S)
    assert mirror.wants_a_picture  # what came too soon is shown now
    mirror.shown(screen(2))
    assert mirror.picture()["tag"] not in tags
    clock.advance(EVERY_S)
    before = mirror.picture()["tag"]
    mirror.shown(screen(2))
    assert mirror.picture()["tag"] == before  # nothing has changed
    assert encoded == [(720, WIDTH_PX, 3), (480, 800, 3)]


def test_who_comes_first_waits_for_the_picture(mirror, monkeypatch):
    monkeypatch.setattr(screen_mirror, "_FIRST_S", 30.0)
    found = []
    thread = threading.Thread(target=lambda: found.append(mirror.picture()))
    thread.start()
    while not mirror.wants_a_picture:
        assert thread.is_alive()
    mirror.shown(screen(3))
    thread.join(30)
    assert found[0]["picture"]


def test_a_screen_that_is_gone_is_said_in_one_sentence(clock):
    with pytest.raises(ControlError, match=r"^the device's screen shows nothing: display kmsdrm: no such device$"):
        ScreenMirror(clock, lambda: "display kmsdrm: no such device").picture()


def test_touches_reach_the_screen_in_order_and_the_trail_says_whose_they_are(mirror, tmp_path):
    mirror.shown(screen(1))
    mirror.page = "Menu"
    with Store.record(tmp_path) as store:
        assert mirror.touch(store, {"command": "c", "operator": "olga", "x": 0.5, "y": 0.999}) == {"page": "Menu"}
        mirror.touch(store, {"operator": "olga", "key": "return", "text": "A-17"})
        for wrong in ({"x": 1.0, "y": 0.0}, {"key": "f4"}, {"text": "x" * 81}, {"x": 0.5}, {}):
            with pytest.raises(SmearscopeError, match="screen touch: "):
                mirror.touch(store, {"operator": "olga", **wrong})
        with pytest.raises(SmearscopeError, match="an operator's name"):
            mirror.touch(store, {"x": 0.5, "y": 0.5})
        assert mirror.touched() == [Tap(400, 479), Text("A-17"), Key("return")]
        assert mirror.touched() == []
        events = store.newest_of_device(9)
    assert [(each.operator, each.action, each.old) for each in events] == [("olga", "screen", "Menu")] * 2
    assert events[-1].new == "Tap(x=400, y=479)"


def test_a_pin_that_is_typed_from_elsewhere_is_not_in_the_trail(mirror, tmp_path):
    with Store.record(tmp_path) as store:
        mirror.secret = True
        mirror.touch(store, {"command": "c", "operator": "olga", "text": "2468"})
        (event,) = store.newest_of_device(9)
    assert event.new == "a PIN"
    assert mirror.touched() == [Text("2468")]


def test_what_the_web_says_of_itself_is_kept_until_it_says_something_else(mirror):
    mirror.web_is({"command": "web is", "address": "https://lab:8443/", "password": "first"})
    mirror.web_is({"fingerprint": "AB\x1b", "password": ""})
    assert mirror.web == {"address": "https://lab:8443/", "password": "", "fingerprint": r"AB\x1b"}
