"""Displays by name; pygame's on SDL's dummy driver."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from device.screen.arrangement import workable
from device.screen.display import Display
from device.screen.displays import PNG, StandInDisplay, choose_display, display_kind, open_display
from device.screen.navigation.inputs import Key, Tap, Text
from device.screen.no_display import NoDisplay
from device.screen.patient_display import PatientDisplay
from device.screen.pygame_display import KMSDRM, WINDOW, dots_per_inch
from device.session.active_faults import ActiveFaults
from device.system.clock import ManualClock
from device.system.process import set_process_defaults
from device.system.systemd import Journal
from smear.errors import DisplayError
from smear.images import read_image
from tests.device.screen.test_navigator import Hand

SCREEN = np.zeros((480, 800, 3), np.uint8)
SCREEN[:, :400] = (255, 0, 0)
SCREEN[:, 400:] = (0, 0, 255)


def started_with(monkeypatch: pytest.MonkeyPatch, driver: str) -> None:
    """Give the process the environment that the command's entry would, with SDL's `driver`."""
    environment = {"SDL_VIDEODRIVER": driver}
    set_process_defaults(environment)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> Iterator[Display]:
    """A window on SDL's dummy driver."""
    started_with(monkeypatch, "dummy")
    display = open_display("window")
    yield display
    display.close()


def test_a_window_shows_rgb(window: Display) -> None:
    import pygame

    window.show(SCREEN)
    surface = pygame.display.get_surface()
    assert surface is not None
    assert tuple(surface.get_at((10, 10)))[:3] == (255, 0, 0)
    assert tuple(surface.get_at((790, 10)))[:3] == (0, 0, 255)


def test_a_screen_of_another_size_is_stretched_to_the_window(window: Display) -> None:
    import pygame

    window.show(np.full((240, 320, 3), 77, np.uint8))
    surface = pygame.display.get_surface()
    assert surface is not None
    assert tuple(surface.get_at((799, 479)))[:3] == (77, 77, 77)


def test_a_click_and_a_finger_are_taps_in_pixels(window: Display) -> None:
    import pygame

    pygame.event.post(pygame.event.Event(pygame.MOUSEBUTTONDOWN, pos=(20, 430), button=pygame.BUTTON_LEFT))
    pygame.event.post(pygame.event.Event(pygame.FINGERDOWN, x=0.5, y=1.0, finger_id=0, touch_id=0))
    # SDL's second report of that finger, which it makes where SDL_TOUCH_MOUSE_EVENTS was set by somebody else.
    again = {"pos": (400, 479), "button": pygame.BUTTON_LEFT, "touch": True}
    pygame.event.post(pygame.event.Event(pygame.MOUSEBUTTONDOWN, **again))
    pygame.event.post(pygame.event.Event(pygame.FINGERUP, x=0.5, y=1.0, finger_id=0, touch_id=0))
    pygame.event.post(pygame.event.Event(pygame.MOUSEBUTTONUP, **again))
    pygame.event.post(pygame.event.Event(pygame.MOUSEBUTTONDOWN, pos=(1, 1), button=pygame.BUTTON_RIGHT))
    assert window.inputs() == [Tap(20, 430), Tap(400, 479)]
    assert window.inputs() == []


def test_keys_have_names_and_what_is_typed_is_text(window: Display) -> None:
    import pygame

    for key, typed, mod in (
        (pygame.K_ESCAPE, "\x1b", 0),
        (pygame.K_TAB, "\t", pygame.KMOD_LSHIFT),
        (pygame.K_KP_ENTER, "\r", 0),
        (pygame.K_a, "a", 0),  # its text comes as an event of its own
        (pygame.K_PAGEDOWN, "", 0),
    ):
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key, unicode=typed, mod=mod))
    pygame.event.post(pygame.event.Event(pygame.TEXTINPUT, text="Ä"))
    assert window.inputs() == [Key("escape"), Key("shift tab"), Key("return"), Key("page down"), Text("Ä")]


@pytest.mark.parametrize("what", ["close", "control and Q"])
def test_closing_the_window_or_control_and_q_ends_the_run(window: Display, what: str) -> None:
    import pygame

    pressed = {"key": pygame.K_q, "mod": pygame.KMOD_LCTRL, "unicode": "\x11"}
    kind, values = (pygame.QUIT, {}) if what == "close" else (pygame.KEYDOWN, pressed)
    pygame.event.post(pygame.event.Event(kind, values))
    with pytest.raises(KeyboardInterrupt):
        window.inputs()


def test_a_window_that_went_away_is_a_display_error(window: Display) -> None:
    window.close()
    window.close()
    with pytest.raises(DisplayError, match="was lost"):
        window.show(SCREEN)
    with pytest.raises(DisplayError, match="is closed"):
        window.inputs()


def test_the_window_leaves_sigterm_to_the_program(window: Display) -> None:
    handled = int(re.search(r"SigCgt:\t(\w+)", Path("/proc/self/status").read_text())[1], 16)  # type: ignore[index]
    assert not handled >> (signal.SIGTERM - 1) & 1


def test_only_the_screen_is_taken_not_the_sound(window: Display) -> None:
    import pygame

    assert pygame.display.get_init()
    assert not pygame.mixer.get_init()


def test_a_screen_that_is_not_there_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    started_with(monkeypatch, "nonesuch")
    with pytest.raises(DisplayError, match="start it from the desktop, or use --display kmsdrm"):
        open_display("window")


def test_the_whole_screen_is_not_taken_from_a_desktop(monkeypatch: pytest.MonkeyPatch) -> None:
    started_with(monkeypatch, "dummy")
    with pytest.raises(
        DisplayError, match=r"display kmsdrm: SDL uses its driver dummy; connect a screen, end any desk"
    ):
        open_display("kmsdrm")


def test_what_follows_the_name_of_a_display_without_a_target_is_refused() -> None:
    with pytest.raises(DisplayError, match="nothing may follow 'window'; leave out ':0'"):
        display_kind("window:0")


def test_a_missing_pygame_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygame", None)
    with pytest.raises(DisplayError, match=r"pip install 'smearscope\[screen\]'"):
        open_display("window")


def test_png_keeps_the_newest_screen_alone(tmp_path: Path) -> None:
    display = open_display(f"png:{tmp_path / 'out' / 'live.png'}")
    display.show(np.zeros_like(SCREEN))
    display.show(SCREEN)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["live.png"]
    np.testing.assert_array_equal(read_image(tmp_path / "out" / "live.png"), SCREEN)
    assert display.inputs() == []
    display.close()


@pytest.mark.parametrize("name", ["png:{}", "png:{}/", "png:{}/new/"])
def test_png_in_a_folder_is_called_screen_png(tmp_path: Path, name: str) -> None:
    open_display(name.format(tmp_path)).show(SCREEN)
    assert [p.name for p in tmp_path.rglob("*.png")] == ["screen.png"]


def test_what_the_screen_shows_is_not_for_every_user_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        open_display("png:", png_path=tmp_path / "screen.png").show(SCREEN)
    finally:
        os.umask(before)
    assert (tmp_path / "screen.png").stat().st_mode & 0o777 == 0o640


def test_png_without_a_path_takes_the_default(tmp_path: Path) -> None:
    open_display("png:", png_path=tmp_path / "a.png").show(SCREEN)
    assert (tmp_path / "a.png").exists()


def test_png_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DisplayError, match=r"must end in \.png or \.jpg"):
        open_display(f"png:{tmp_path / 'a.txt'}")


def test_png_that_cannot_be_written_is_a_display_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DisplayError, match="choose a writable folder"):
        open_display(f"png:{tmp_path / 'file' / 'a.png'}")
    display = open_display(f"png:{tmp_path / 'b' / 'a.png'}")
    (tmp_path / "b").rmdir()
    with pytest.raises(DisplayError, match="cannot write"):
        display.show(SCREEN)


def test_none_keeps_the_last_screen() -> None:
    display = open_display("none", size=(320, 240))
    display.show(SCREEN)
    assert isinstance(display, NoDisplay)
    assert display.last is SCREEN
    assert (display.size, display.inputs()) == ((320, 240), [])
    display.close()


@pytest.mark.parametrize("variable", ["DISPLAY", "WAYLAND_DISPLAY"])
def test_auto_is_a_window_under_a_desktop(tmp_path: Path, variable: str) -> None:
    (tmp_path / "card0").touch()
    assert choose_display({variable: ":0"}, tmp_path) is WINDOW


def test_auto_is_the_whole_screen_without_a_desktop(tmp_path: Path) -> None:
    (tmp_path / "card1").touch()
    assert choose_display({}, tmp_path) is KMSDRM


def test_auto_is_a_picture_without_a_screen(tmp_path: Path) -> None:
    assert choose_display({}, tmp_path / "dri") is PNG


def test_auto_leaves_its_picture_when_a_screen_comes_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(variable, raising=False)
    display = StandInDisplay(tmp_path / "screen.png", dri=tmp_path / "dri")
    display.show(SCREEN)
    (tmp_path / "dri").mkdir()
    (tmp_path / "dri/card0").touch()
    with pytest.raises(DisplayError, match="a screen was attached"):
        display.show(SCREEN)


@pytest.mark.parametrize(
    ("edid", "expected"), [(bytes(21) + bytes([20]) + bytes(106), 101.6), (bytes(128), None), (b"", None)]
)
def test_the_density_is_what_the_screen_says_of_its_width(tmp_path: Path, edid: bytes, expected: float | None) -> None:
    (tmp_path / "card0-HDMI-A-1").mkdir()
    (tmp_path / "card0-HDMI-A-1/edid").write_bytes(edid)
    assert dots_per_inch(800, tmp_path) == expected


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_what_is_touched_on_a_turned_screen_is_what_is_seen_there(rotation: int) -> None:
    hand, clock = Hand(), ManualClock()
    shown = PatientDisplay(lambda: hand, ActiveFaults(Journal({})), clock, rotation=rotation)
    shown.open_first()
    width, height = shown.size
    assert (width, height) == ((480, 800) if rotation in {90, 270} else (800, 480))
    screen = np.zeros((height, width, 3), np.uint8)
    screen[30, 70] = 255
    shown.show(screen)
    assert hand.last is not None
    ((y, x),) = np.argwhere(hand.last[..., 0]).tolist()
    hand.waiting = [Tap(x, y), Key("f1")]
    assert shown.inputs() == [Tap(70, 30), Key("f1")]


def test_a_small_screen_on_its_side_has_room_for_the_page() -> None:
    hand = Hand()
    hand.size = (480, 320)
    shown = PatientDisplay(lambda: hand, ActiveFaults(Journal({})), ManualClock(), rotation=90)
    shown.open_first()
    assert shown.size == workable((320, 480)) == (372, 558)
    hand.waiting = [Tap(479, 319), Tap(0, 0)]
    assert shown.inputs() == [Tap(371, 0), Tap(0, 557)]


def test_an_unknown_display_lists_the_known_ones() -> None:
    with pytest.raises(
        DisplayError, match="'hologram' is no display; write one of: auto, window, kmsdrm, png:PATH, none"
    ):
        open_display("hologram")


def test_importing_displays_brings_no_pygame() -> None:
    code = "import sys, device.screen.displays, device.cameras, device.screen.layout; sys.exit('pygame' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=dict(os.environ), check=False).returncode == 0
