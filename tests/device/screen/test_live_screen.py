"""The live screen: what it shows of a session, and what its buttons do."""

import numpy as np
import pytest

from device.screen.arrangement import Button, arrange
from device.screen.live_screen import NOTICE_S, LiveScreen
from device.screen.no_display import NoDisplay
from device.screen.patient_display import PatientDisplay
from device.session.active_faults import ActiveFaults
from device.session.results import Examined
from device.store.recorder import Recorded
from device.store.slide_summary import SlideTally
from device.system.clock import ManualClock
from device.system.systemd import Journal
from smear.errors import StoreError
from tests.device.findings import finding, frame


class Tapped(NoDisplay):
    """A display without glass that somebody taps."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[tuple[int, int]] = []

    def taps(self) -> list[tuple[int, int]]:
        taps, self.waiting = self.waiting, []
        return taps


class Source:
    name, simulated = "test:", False


def screen(display, clock, lost_after_s=2.0, **actions):  # type: ignore[no-untyped-def]
    named = {Button[name.upper()]: action for name, action in actions.items()}
    faults = ActiveFaults(Journal({}))
    shown = PatientDisplay(lambda: display, faults, clock)
    shown.open_first()
    return LiveScreen(shown, clock, faults, Source(), named, lost_after_s)


def examined(number: int = 1) -> Examined:
    tally = SlideTally().add(finding())
    return Examined(frame(number), finding(), Recorded("A-17", tally, 1), number)


def test_every_result_is_shown():
    display, clock = Tapped(), ManualClock()
    live = screen(display, clock)
    live.show(examined(1))
    first = display.last
    clock.advance(0.5)
    live.show(examined(2))
    assert first.shape == (480, 800, 3)
    assert not np.array_equal(first, display.last)


def test_a_tap_on_a_button_does_what_it_says():
    display, done = Tapped(), []
    live = screen(display, ManualClock(), new_slide=lambda: done.append("new"), keep_field=lambda: done.append("keep"))
    for button in (Button.NEW_SLIDE, Button.KEEP_FIELD, Button.END_SLIDE):
        box = arrange(display.size).buttons[button]
        display.waiting.append((box.x + 5, box.y + 5))
    display.waiting.append((400, 200))  # the picture: no button
    live.idle(None, lost=False)
    assert done == ["new", "keep"]


@pytest.mark.parametrize("outcome", [17, None, StoreError("disk full")])
def test_a_tap_gives_a_sign_at_once_that_goes_away_again(outcome):
    def act():
        if isinstance(outcome, StoreError):
            raise outcome
        return outcome

    display, clock = Tapped(), ManualClock()
    live = screen(display, clock, lost_after_s=9.0, keep_field=act)
    live.show(examined())
    before = display.last
    places = arrange(display.size)
    display.waiting.append((places.buttons[Button.KEEP_FIELD].x + 5, places.buttons[Button.KEEP_FIELD].y + 5))
    live.idle(None, lost=False)
    changed = (display.last != before).any(axis=2)
    assert changed.any()
    box = places.notices
    changed[box.y : box.y + box.height, box.x : box.x + box.width] = False
    assert not changed.any()
    clock.advance(NOTICE_S)
    live.idle(None, lost=False)
    assert np.array_equal(display.last, before)


def test_an_old_result_is_never_left_standing_as_if_it_were_live():
    display, clock = Tapped(), ManualClock()
    live = screen(display, clock)
    live.show(examined())
    shown = display.last
    clock.advance(1.9)
    live.idle(frame(2), lost=False)
    assert display.last is shown
    clock.advance(0.2)
    live.idle(frame(2), lost=False)
    assert not np.array_equal(display.last, shown)


def test_the_first_frame_is_shown_before_it_is_examined():
    display, clock = Tapped(), ManualClock()
    live = screen(display, clock)
    clock.advance(1)
    live.idle(frame(1), lost=False)
    assert display.last is not None


def test_a_lost_camera_takes_the_last_result_off_the_screen_at_once():
    display, clock = Tapped(), ManualClock()
    live = screen(display, clock)
    live.show(examined())
    shown = display.last
    live.idle(frame(2), lost=True)
    assert not np.array_equal(display.last, shown)
