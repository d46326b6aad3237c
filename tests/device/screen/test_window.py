"""The window on a real X server, with real keys and clicks."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from device.cameras.calibration import ProfileStore
from device.screen.layout import ScreenState
from device.screen.navigation.composition import compose
from device.screen.navigation.keyboard import CURSOR
from device.screen.pages.live import LivePage
from device.settings import CellSettings
from device.store import Store

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
    command = ["timeout", "180", sys.executable, *(program_words or ("-c", WATCH))]  # else a line may never come
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


class Person:
    """Somebody at a window who reads what stands on it, and presses what is there by its key or by touch."""

    def __init__(self, environment: dict[str, str], lines: Iterator[str], touches: bool = False) -> None:
        self._environment, self._lines, self._touches = environment, lines, touches
        self._screen: dict[str, Any] = {}

    def reads(self, pattern: str) -> None:
        """Wait until it stands on the screen, which begins with the page and the slide."""
        for line in self._lines:
            self._screen = json.loads(line)
            if re.search(pattern, self._screen["page"] + "\n" + self._screen["texts"], re.DOTALL):
                return
        raise AssertionError(f"{pattern!r} never came; in the end there was {self._screen}")

    def presses(self, name: str, value: str | int | None = None) -> None:
        found = [each for each in self._screen["controls"] if each["name"] == name and value in (None, each["value"])]
        assert found, f"there is no {name} {value} in {self._screen}"
        key, (x, y) = found[0]["key"], found[0]["at"]
        if self._touches:
            act(self._environment, "mousemove", str(x), str(y), "click", "1")
        else:
            named = {"": ("Tab", "Return"), "-": ("minus",)}.get(key, (key if len(key) == 1 else key.capitalize(),))
            act(self._environment, "key", *named)

    def types(self, text: str) -> None:
        if not self._touches:
            act(self._environment, "type", text)
        else:
            for character in text:
                self.presses("key", character)
        self.reads(re.escape(text + CURSOR))


def test_slides_are_named_and_ended_and_looked_at_by_keys_and_by_a_scanner(
    x_server: dict[str, str], tmp_path: Path
) -> None:
    with watched(x_server, "-m", "tests.device.screen.day", str(tmp_path)) as lines:
        person = Person(x_server, lines)
        person.reads("LivePage None")
        for keys, pattern in (
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
            if pattern:
                person.reads(pattern)
    with Store.read(tmp_path) as store:
        found = [(slide.name, slide.specimen, slide.tally.total > 0) for slide in store.slides()]
    assert found == [("LAB-0815", "blood", True), ("S-1", "blood", True)]


CALIBRATED = (
    ("menu", None, "MenuPage"),
    ("calibrate", None, "Move to clear glass.*right for this step"),
    ("measure", None, "In use: red"),
    ("step", 1, "Stay on clear glass.*right for this step"),
    ("measure", None, "In use. If the corners"),
    ("step", 1, "Focus on a stage micrometre.*right for this step"),
    ("measure", None, "one pixel is 0.5"),
    ("step", 1, "Move to a field with white cells"),
    ("measure", None, "compared with this sharpness"),
    ("done", None, "MenuPage"),
)
CLEARED = (
    ("slide", None, "OpenSlidePage"),
    ("end", None, "ConfirmPage"),
    ("yes", None, "SummaryPage None.*Classify and count the cells"),
    ("live", None, "LivePage"),
    ("menu", None, "MenuPage"),
    ("qc", None, "Not cleared yet"),
    ("test", None, "every test has passed"),
    ("back", None, "LivePage"),
)
SIGNED = (
    ("menu", None, "MenuPage"),
    ("cells", None, "HistoryPage"),
    ("slide", None, "EVA has classified none"),
    *(("class", "lymphocyte", f"EVA has {number} of 5") for number in (1, 2, 3)),
    *(("class", "blast", f"EVA has {number} of 5") for number in (4, 5)),
    ("count", None, "The count is complete"),
    ("sign", None, "EVA signs the count as it was shown"),
    ("yes", None, "LivePage"),
    ("menu", None, "MenuPage"),
    ("history", None, "HistoryPage"),
    ("slide", None, "EVA signed version 1 on "),
)
"""What is pressed, and what stands on the screen then."""


@pytest.mark.parametrize("touches", [False, True], ids=["keys", "touch"])
def test_a_day_from_calibration_to_the_signed_summary_is_done_alone_by(
    touches: bool, x_server: dict[str, str], tmp_path: Path
) -> None:
    with watched(x_server, "-m", "tests.device.screen.day", str(tmp_path)) as lines:
        person = Person(x_server, lines, touches)

        def does(*steps: tuple[str, str | int | None, str]) -> None:
            for name, value, pattern in steps:
                person.presses(name, value)
                person.reads(pattern)

        person.reads("LivePage")
        does(*CALIBRATED, ("qc", None, "Who is at work"))
        person.types("EVA")
        does(("done", None, "no quality control that holds today"), ("start", None, "Not cleared yet"))
        does(("back", None, "LivePage"), ("slide", None, "NewSlidePage"))
        person.types("S-7")
        does(("start", None, r"LivePage S-7.*\b[1-9]\d+ fields accepted"), *CLEARED, *SIGNED)
    known = ProfileStore(tmp_path).in_use()
    assert (known.white is None, known.flat is None, known.pixel_size_um, known.best_focus) == (False, False, 0.5, 1)
    with Store.read(tmp_path) as store:
        (slide,), (run,) = store.slides(), store.qc_runs(2)
        (signed,) = store.signatures(slide.id)
        found = store.counted(slide, CellSettings().classes, 5).counts["EVA"].to_json()
        fields = store.latest_fields(slide.id, 10)
    assert (slide.name, slide.operator, signed.operator, run.operator) == ("S-7", "EVA", "EVA", "EVA")
    assert [each.passed for each in run.measurements] == [True] * 3
    assert {each.calibration_id for each in fields} == {known.id}
    assert {each["name"]: each["n"] for each in found["classes"] if each["n"]} == {"blast": 2, "lymphocyte": 3}
