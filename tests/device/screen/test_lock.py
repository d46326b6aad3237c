"""The locked screen: everybody sees the picture, and nothing can be pressed without the PIN."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from device.commands.config import command
from device.screen.choices import Choices
from device.screen.layout import ScreenState
from device.screen.navigation.inputs import Key, Tap, Text
from device.screen.navigation.navigator import Navigator
from device.screen.navigation.own_actions import OwnActions
from device.screen.navigation.screen_lock import FILE, ScreenLock, lock_after_s, set_pin
from device.screen.pages.live import LivePage
from device.screen.pages.lock import LockPage
from device.screen.pages.menu import MenuPage
from device.screen.patient_display import display_of
from device.settings import DisplaySettings, Settings
from device.store import Store
from device.store.recorder import Recorder
from smear.errors import SmearscopeError
from tests.device.screen.states import NORMAL
from tests.device.screen.test_cell_pages import settled
from tests.device.screen.test_navigator import Session


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """A screen in use, whose PIN was just set in the settings."""
    with Store.record(tmp_path) as store:
        act = OwnActions({}, Recorder(store, make_tracker=None), Settings(), tmp_path)
    session = Session(lambda action, request: act(action, request))
    act = OwnActions({}, act._recorder, Settings(), tmp_path, display=session.navigator._display)
    session.type("mgp")
    settled(session)
    session.do(Text("2468"), Key("return"))
    for digit in "2468":
        session.touch("key", digit)
    session.touch("done")
    settled(session)
    assert session.navigator._notice == "The PIN is set."
    return session


def unlock(session: Session, pin: str) -> None:
    session.do(Text(pin), Key("return"))
    settled(session)


def test_a_pin_is_kept_as_a_hash_that_nobody_else_can_read(session: Session, tmp_path: Path) -> None:
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert re.fullmatch("[0-9a-f]{32} [0-9a-f]{128}\n", (tmp_path / FILE).read_text())


def test_a_screen_that_is_left_locks_and_goes_on_where_it_was_left_after_the_pin(session: Session) -> None:
    session.type("m")
    session.clock.advance(15 * 60)
    session.do()
    assert session.page == LockPage()
    session.navigator.show(NORMAL)
    assert session.navigator.live.slide == NORMAL.slide, "the picture goes on"
    before = len(session.done)
    session.do(Key("escape"), Key("f1"), Text("?"), Text("m"), Text("LAB-0815"), Key("return"), Key("f3"))
    session.do(*(Tap(x, y) for x in range(20, 800, 40) for y in range(20, 300, 40)))
    assert isinstance(session.page, LockPage)
    assert [action for action, _ in session.done[before:]] in ([], ["lock open"])  # 0815 was typed, and is wrong
    session.do(Key("escape"))
    unlock(session, "2469")
    assert isinstance(session.page, LockPage)
    assert session.navigator._notice.startswith("That is not the PIN.")
    unlock(session, "2468")
    assert isinstance(session.page, MenuPage)


def test_the_button_locks_at_once_and_touch_alone_unlocks(session: Session) -> None:
    session.type("mk")
    settled(session)
    assert session.page == LockPage()
    session.touch("unlock")
    for digit in "2468":
        session.touch("key", digit)
    session.touch("done")
    settled(session)
    assert isinstance(session.page, LivePage)


def test_who_switches_the_power_off_and_on_finds_it_locked(session: Session, tmp_path: Path) -> None:
    shown = display_of(DisplaySettings(), "none", tmp_path, session.faults, session.clock, patient=True)
    again = Navigator(shown, session.clock, session.faults, lambda action, request: {})
    assert isinstance(again.page, LockPage)


def test_wrong_pins_cost_time(tmp_path: Path) -> None:
    set_pin(tmp_path, "12345678")
    now = [0.0]
    answer = ScreenLock(tmp_path, lambda: now[0]).answers()["lock open"]
    assert [answer({"pin": "0000"}) for _ in range(5)] == [{"right": False}] * 5
    with pytest.raises(SmearscopeError, match="too many wrong PINs: try again in 30 s"):
        answer({"pin": "12345678"})
    now[0] = 31.0
    assert answer({"pin": "12345678"}) == {"right": True}


def test_a_pin_that_was_forgotten_is_reset_on_the_command_line(session: Session, tmp_path: Path) -> None:
    session.type("mk")
    settled(session)
    for said in ("the PIN is forgotten\n", f"no PIN is set in {tmp_path}\n"):
        assert CliRunner().invoke(command, ["reset-pin", "--data", str(tmp_path)]).output == said
    unlock(session, "0000")
    assert isinstance(session.page, LivePage)


def test_a_damaged_pin_unlocks_nothing_and_says_how_to_reset_it(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("no hash")
    with pytest.raises(SmearscopeError, match="no PIN is right; run 'smearscope config reset-pin'"):
        ScreenLock(tmp_path).answers()["lock open"]({"pin": "1234"})


@pytest.mark.parametrize("pin", ["123", "123456789", "12a4", "١٢٣٤"])
def test_what_is_no_pin_is_not_kept(tmp_path: Path, pin: str) -> None:
    with pytest.raises(SmearscopeError, match="a PIN has 4 to 8 digits"):
        set_pin(tmp_path, pin)
    assert list(tmp_path.iterdir()) == []


def test_without_a_pin_nothing_locks(tmp_path: Path) -> None:
    session = Session(lambda action, request: {"set": False})
    session.clock.advance(10_000)
    session.do()
    session.type("mk")
    settled(session)
    assert (type(session.page), session.navigator._notice[:14]) == (MenuPage, "No PIN is set:")
    assert lock_after_s(tmp_path) is None
    set_pin(tmp_path, "1234")
    Choices(lock_after_min=0).write(tmp_path)
    assert lock_after_s(tmp_path) == float("inf")
    assert LockPage().press(Key("left"), ScreenState()).text == ""  # type: ignore[union-attr]
