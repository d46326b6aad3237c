"""The window on a real X server, with real keys and clicks."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from device.screen.layout import ScreenState
from device.screen.navigation.composition import compose
from device.screen.navigation.page import Page
from device.screen.pages.live import LivePage
from device.screen.pages.menu import MenuPage
from device.screen.pages.new_slide import FIELDS, NewSlidePage
from device.screen.pages.slide import OpenSlidePage, asked_to_end
from device.screen.pages.summary import SummaryPage
from device.store import Store
from tests.device.screen.page_states import SUMMARY
from tests.device.screen.states import NORMAL

PROGRAMS = {"Xvfb": "xvfb", "xdotool": "xdotool", "openbox": "openbox"}
WATCH = """
import os
from device.system.process import set_process_defaults
set_process_defaults(os.environ)
from device.screen.navigation.composition import compose
from device.screen.displays import open_display
from device.screen.navigation.inputs import Tap
from device.screen.layout import ScreenState
from device.screen.pages.live import LivePage
import pygame
display, size, clock = open_display("window"), None, pygame.time.Clock()
print("OpenGL", "swrast" in open("/proc/self/maps").read(), flush=True)
try:
    while True:
        if display.size != size:
            size = display.size
            print("size", *size, flush=True)
        shown = compose(LivePage(), ScreenState(), display.size)
        for each in display.inputs():
            taken = [at.name for at in shown.controls if isinstance(each, Tap) and at.box.holds(each.x, each.y)]
            print(*taken or [each], flush=True)
        display.show(shown.canvas.pixels)
        clock.tick(20)
except KeyboardInterrupt:
    print("closed", flush=True)
"""


@pytest.fixture
def x_server() -> Iterator[dict[str, str]]:
    """The environment of programs on a screen of 1280x720."""
    if lacking := [package for program, package in PROGRAMS.items() if shutil.which(program) is None]:
        pytest.skip(f"needs: apt install {' '.join(lacking)}")
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", "1280x720x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        yield {**os.environ, "DISPLAY": f":{server.stdout.readline().strip()}", "WAYLAND_DISPLAY": ""}
        server.terminate()


@contextmanager
def watched(environment: dict[str, str], *program_words: str) -> Iterator[Iterator[str]]:
    """Open the window, and give what it says line by line; Ctrl-Q closes it."""
    command = ["timeout", "60", sys.executable, *(program_words or ("-c", WATCH))]  # else a line may never come
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        lines = (line.strip() for line in program.stdout)
        try:
            yield lines
            act(environment, "key", "ctrl+q")
            assert "closed" in lines
        finally:
            program.terminate()


def act(environment: dict[str, str], *words: str) -> None:
    subprocess.run(["xdotool", *words], env=environment, check=True)


def test_without_a_window_manager_the_window_fills_the_screen_and_clicks_and_keys_arrive(
    x_server: dict[str, str],
) -> None:
    with watched(x_server) as lines:
        assert "OpenGL False" in lines, "Mesa's drawing in software takes 108 MB"
        assert "size 1280 720" in lines
        shown = compose(LivePage(), ScreenState(), (1280, 720))
        box = next(each.box for each in shown.controls if each.name == "slide")
        act(x_server, "mousemove", str(box.x + box.width // 2), str(box.y + box.height // 2), "click", "1")
        assert "slide" in lines
        act(x_server, "type", "S-0042")
        act(x_server, "key", "Return")
        assert [next(lines) for _ in range(7)] == [
            *(f"Text(characters='{each}')" for each in "S-0042"),
            "Key(name='return')",
        ]


def test_the_window_goes_full_screen_and_back_and_follows_its_size(x_server: dict[str, str]) -> None:
    with subprocess.Popen(["openbox", "--sm-disable", "--startup", "true"], env=x_server) as manager:
        try:
            act(
                x_server, "search", "--sync", "--onlyvisible", "--class", ""
            )  # it has a window of its own when it is ready
            with watched(x_server) as lines:
                for words, size in (
                    ((), "800 480"),
                    *[(("key", "F11"), "1280 720"), (("key", "F11"), "800 480")] * 2,
                    (("getactivewindow", "windowsize", "640", "400"), "640 400"),
                    (("getactivewindow", "windowsize", "240", "160"), "432 288"),  # drawn larger, and made smaller
                ):
                    if words:
                        act(x_server, *words)
                    assert f"size {size}" in lines
        finally:
            manager.terminate()


def touch(environment: dict[str, str], page: Page, name: str, value: object = None) -> None:
    controls = compose(page, replace(NORMAL, slide=""), (1280, 720)).controls
    box = next(each.box for each in controls if each.name == name and value in (None, each.value))
    act(environment, "mousemove", str(box.x + box.width // 2), str(box.y + box.height // 2), "click", "1")


def test_slides_are_named_and_ended_and_looked_at_by_keys_by_a_scanner_and_by_touch(
    x_server: dict[str, str], tmp_path: Path
) -> None:
    with watched(x_server, "-m", "tests.device.screen.day", str(tmp_path)) as lines:
        assert "LivePage None" in lines
        for keys, line in (
            (("key", "s"), "NewSlidePage None"),
            (("type", "S-1"), ""),
            (("key", "Tab", "Tab"), ""),  # over the operator to the specimen
            (("type", "blood"), ""),
            (("key", "Return"), "LivePage S-1"),
            (("key", "s"), "OpenSlidePage S-1"),
            (("key", "n"), "NewSlidePage S-1"),
            (("type", "--delay", "0", "--args", "1", "LAB-0815", "key", "Return"), "LivePage LAB-0815"),  # a scanner
            (("key", "s"), "OpenSlidePage LAB-0815"),
            (("key", "e"), "ConfirmPage LAB-0815"),
            (("key", "y"), "SummaryPage None"),
            (("key", "u"), "LivePage LAB-0815"),
            (("key", "m"), "MenuPage LAB-0815"),
            (("key", "l"), "HistoryPage LAB-0815"),
            (("key", "Tab", "Return"), "SummaryPage LAB-0815"),
            (("key", "Escape", "Escape", "Escape"), "LivePage LAB-0815"),
        ):
            act(x_server, *keys)
            assert not line or line in lines
        new = NewSlidePage(dict.fromkeys(FIELDS, "S"))
        for page, name, value, line in (
            (LivePage(), "slide", None, "OpenSlidePage LAB-0815"),
            (OpenSlidePage(), "new", None, "NewSlidePage LAB-0815"),
            *((new, "key", character, "") for character in "S-3"),
            (new, "start", None, "LivePage S-3"),
            (LivePage(), "slide", None, "OpenSlidePage S-3"),
            (OpenSlidePage(), "end", None, "ConfirmPage S-3"),
            (asked_to_end(NORMAL), "yes", None, "SummaryPage None"),
            (SummaryPage(SUMMARY, ended_now=True), "live", None, "LivePage None"),
            (LivePage(), "menu", None, "MenuPage None"),
            (MenuPage(), "history", None, "HistoryPage None"),
        ):
            touch(x_server, page, name, value)
            assert not line or line in lines
    with Store.read(tmp_path) as store:
        found = [(slide.name, slide.specimen, slide.tally.total > 0) for slide in store.slides()]
    assert found == [("S-3", "blood", True), ("LAB-0815", "blood", True), ("S-1", "blood", True)]
