"""The window on a real X server, with real keys and clicks."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from device.screen.layout import ScreenState
from device.screen.navigation.composition import compose
from device.screen.pages.live import LivePage

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
def watched(environment: dict[str, str]) -> Iterator[Iterator[str]]:
    """Open the window, and give what it says line by line; Ctrl-Q closes it."""
    command = ["timeout", "60", sys.executable, "-c", WATCH]  # else a size that never comes is waited for
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
