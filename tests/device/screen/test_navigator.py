"""The navigator: what touch, keys and typing do, what actions lead to, and what is said meanwhile."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import wait
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from device.screen.navigation.composition import compose
from device.screen.navigation.inputs import Input, Key, Tap, Text
from device.screen.navigation.navigator import BURST_S, NOTICE_S, WORKING, Navigator
from device.screen.navigation.page import Open, Page
from device.screen.no_display import NoDisplay
from device.screen.pages.confirm import ConfirmPage
from device.screen.pages.help import HelpPage
from device.screen.pages.live import LivePage
from device.screen.pages.menu import MenuPage
from device.screen.pages.new_slide import NewSlidePage
from device.screen.pages.summary import SummaryPage
from device.screen.patient_display import PatientDisplay
from device.session.active_faults import ActiveFaults
from device.system.clock import ManualClock
from device.system.systemd import Journal
from smear.errors import StoreError
from tests.device.screen.page_states import PAGES, SUMMARY
from tests.device.screen.states import NORMAL


class Hand(NoDisplay):
    """A display without glass that somebody touches, and on whose keyboard somebody types."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Input] = []

    def inputs(self) -> list[Input]:
        inputs, self.waiting = self.waiting, []
        return inputs


SESSIONS: list["Session"] = []


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    for session in SESSIONS:
        session.navigator._worker.shutdown()
    SESSIONS.clear()


class Session:
    """A navigator with the hand before it, and the actions that it performed."""

    def __init__(self, act: Callable[[str, Mapping[str, Any]], Any] = lambda action, request: {}) -> None:
        self.hand, self.clock, self.faults = Hand(), ManualClock(), ActiveFaults(Journal({}))
        self.done: list[tuple[str, dict[str, Any]]] = []
        shown = PatientDisplay(lambda: self.hand, self.faults, self.clock)
        shown.open_first()

        def noted(action: str, request: Mapping[str, Any]) -> Any:
            self.done.append((action, dict(request)))
            return act(action, request)

        self.navigator = Navigator(shown, self.clock, self.faults, noted)
        SESSIONS.append(self)
        self.navigator.show(NORMAL)

    @property
    def page(self) -> Page:
        return self.navigator.page

    def do(self, *inputs: Input) -> None:
        self.hand.waiting.extend(inputs)
        self.navigator.turn()

    def type(self, characters: str) -> None:
        """Type as a hand does."""
        for character in characters:
            self.do(Text(character))
            self.clock.advance(2 * BURST_S)
            self.do()

    def touch(self, name: str, value: object = None) -> None:
        controls = compose(self.page, self.navigator.live).controls
        box = next(each.box for each in controls if each.name == name and value in (None, each.value))
        self.do(Tap(box.x + box.width // 2, box.y + box.height // 2))

    def settle(self) -> None:
        """Wait for what is being done."""
        going_on = (self.navigator._doing, self.navigator._long)
        wait([each[1] for each in going_on if each is not None], 30)
        self.do()


def keys(*names: str) -> Iterable[Input]:
    return [Key(each) for each in names]


def test_a_page_is_opened_and_left_by_touch_and_by_keys() -> None:
    session = Session()
    session.touch("menu")
    assert isinstance(session.page, MenuPage)
    session.do(Key("escape"))
    assert isinstance(session.page, LivePage)
    session.type("M")
    assert isinstance(session.page, MenuPage)
    session.touch("back")
    session.do(*keys("escape", "escape"))
    assert isinstance(session.page, LivePage), "Escape on the first page leaves nothing"
    session.do(*keys("tab", "return"))
    assert isinstance(session.page, MenuPage)


def test_the_help_of_a_page_lists_its_keys() -> None:
    session = Session()
    session.touch("menu")
    session.touch("help")
    assert isinstance(session.page, HelpPage)
    session.do(*keys("escape", "f1"))
    assert isinstance(session.page, HelpPage)
    session.do(*keys("escape", "escape"))
    session.type("?")
    assert isinstance(session.page, HelpPage)
    assert {("F", "Freeze: hold this picture still"), ("M", "Menu: all other pages")} <= set(session.page.keys)


@pytest.mark.parametrize("way", ["scanner", "touch", "keys"])
def test_a_slide_is_named_by_a_scanner_by_touch_and_by_keys(way: str) -> None:
    session = Session(lambda action, request: {"operator": "Anna"})
    session.type("sn")  # the page of the open slide, and from there the next one
    assert isinstance(session.page, NewSlidePage)
    if way == "touch":
        for character in "S-43":
            session.touch("key", character)
        session.touch("start")
    else:
        session.do(*(Text(character) for character in "S-43"), *keys("tab", "tab"), Text("blood"))
        session.do(*keys(*(() if way == "scanner" else ("tab", "tab")), "return"))
    specimen = "" if way == "touch" else "blood"
    assert session.done[-1] == ("slide start", {"name": "S-43", "operator": "Anna", "specimen": specimen})
    assert isinstance(session.page, LivePage)


def test_a_code_that_is_scanned_on_any_page_names_a_slide_and_presses_no_keys() -> None:
    session = Session()
    session.type("m")
    session.do(Text("d"), Text("y"))
    session.clock.advance(BURST_S / 2)
    session.do(*(Text(character) for character in "k-17"), Key("return"))
    assert session.page == NewSlidePage({"name": "dyk-17", "operator": "", "specimen": ""})
    session.do(Key("return"))
    assert [action for action, _ in session.done] == ["slide details", "slide start"]


def test_a_slide_without_a_name_is_not_started() -> None:
    session = Session()
    session.type("snx")
    session.do(*keys("backspace", "return"))
    assert isinstance(session.page, NewSlidePage)
    assert [action for action, _ in session.done] == ["slide details"]


def test_a_slide_is_ended_after_a_question_and_summed_up_and_that_can_be_undone() -> None:
    session = Session(lambda action, request: SUMMARY if action == "slide summary" else {"slide": 42})
    session.type("se")
    assert isinstance(session.page, ConfirmPage)
    session.do(Key("escape"))
    session.type("ey")
    assert session.page == SummaryPage(SUMMARY, ended_now=True)
    session.type("u")
    assert isinstance(session.page, LivePage)
    assert session.done == [
        ("slide end", {}), ("slide summary", {"slide": 42}), ("slide resume", {"slide": 42}),
    ]  # fmt: skip


def test_a_frozen_field_is_kept_and_marked_whatever_the_device_sees_meanwhile() -> None:
    session = Session()
    session.type("f")
    session.navigator.show(NORMAL)
    session.navigator.show(replace(NORMAL, field_id=39))
    session.type("ka")
    assert session.done == [("field keep", {"field": 38}), ("slides review", {"field": 38, "ask": True})]


@pytest.mark.parametrize("outcome", [17, StoreError("disk full"), KeyError("a mistake in the program")])
def test_an_action_gives_a_sign_that_goes_away_again(outcome: object) -> None:
    def act(action: str, request: Mapping[str, Any]) -> Any:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    session = Session(act)
    before = session.hand.last
    session.type("k")
    assert not np.array_equal(session.hand.last, before)  # type: ignore[arg-type]
    session.clock.advance(2 * NOTICE_S)
    session.do()
    np.testing.assert_array_equal(session.hand.last, before)  # type: ignore[arg-type]


def test_a_long_action_holds_nothing_up_and_takes_no_keys_for_the_page_that_goes() -> None:
    go_on = threading.Event()
    session = Session(lambda action, request: go_on.wait(30) and {"slide": 42, **SUMMARY})
    session.type("seym")
    assert isinstance(session.page, ConfirmPage)
    assert WORKING in {each.text for each in compose_of(session).written}
    session.navigator.show(NORMAL)
    go_on.set()
    session.settle()
    session.settle()  # what the first action led to
    assert isinstance(session.page, SummaryPage)
    session.navigator.close()


def test_an_export_holds_no_page_up_and_its_end_is_said_until_something_is_touched() -> None:
    go_on = threading.Event()
    session = Session(lambda action, request: go_on.wait(30) and {"file": "slide-42.zip"})
    page = PAGES["export"][0]
    session.navigator._follow(Open(page))
    session.touch("format")
    session.touch("format")  # a second one at a time is not begun
    session.do(Key("escape"))
    session.type("m")
    assert isinstance(session.page, MenuPage)
    go_on.set()
    ended = "slide-42.zip is written. The stick can be pulled out."
    session.settle()
    assert ended in {each.text for each in compose_of(session).written}
    session.clock.advance(60)
    session.do()
    assert ended in {each.text for each in compose_of(session).written}
    session.do(Key("tab"))
    assert ended not in {each.text for each in compose_of(session).written}
    assert [action for action, _ in session.done] == ["usb export"]


def compose_of(session: Session) -> Any:
    composed = session.navigator._composed
    assert composed is not None
    return composed.canvas


def test_a_window_of_another_size_is_drawn_anew_although_nothing_is_examined() -> None:
    session = Session()
    session.hand.size = (480, 320)
    session.do()
    assert session.hand.last is not None
    assert session.hand.last.shape == (320, 480, 3)


def test_a_frozen_picture_stands_still_until_a_person_goes_on() -> None:
    session = Session()
    session.type("f")
    session.navigator.show(NORMAL)
    assert session.page == LivePage(held=NORMAL)
    session.type("og")
    assert session.page == LivePage(outlines=False)
