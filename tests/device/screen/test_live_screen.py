"""The live screen: what it shows of a session."""

import numpy as np

from device.screen.live_screen import LiveScreen
from device.screen.no_display import NoDisplay
from device.screen.patient_display import PatientDisplay
from device.session.active_faults import ActiveFaults
from device.session.results import Examined
from device.store.recorder import Recorded
from device.store.slide_summary import SlideTally
from device.system.clock import ManualClock
from device.system.systemd import Journal
from tests.device.findings import finding, frame


class Source:
    name, simulated, stepped = "test:", False, False


def screen(display: NoDisplay, clock: ManualClock) -> LiveScreen:
    faults = ActiveFaults(Journal({}))
    shown = PatientDisplay(lambda: display, faults, clock)
    shown.open_first()
    return LiveScreen(shown, clock, faults, Source(), lambda action, request: None, lost_after_s=2.0)


def examined(number: int = 1) -> Examined:
    tally = SlideTally().add(finding())
    return Examined(frame(number), finding(), Recorded("A-17", tally, 1), number)


def test_every_result_is_shown():
    display, clock = NoDisplay(), ManualClock()
    live = screen(display, clock)
    live.show(examined(1))
    first = display.last
    clock.advance(0.5)
    live.show(examined(2))
    assert first.shape == (480, 800, 3)
    assert not np.array_equal(first, display.last)


def test_an_old_result_is_never_left_standing_as_if_it_were_live():
    display, clock = NoDisplay(), ManualClock()
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
    display, clock = NoDisplay(), ManualClock()
    live = screen(display, clock)
    clock.advance(1)
    live.idle(frame(1), lost=False)
    assert display.last is not None


def test_a_lost_camera_takes_the_last_result_off_the_screen_at_once():
    display, clock = NoDisplay(), ManualClock()
    live = screen(display, clock)
    live.show(examined())
    shown = display.last
    live.idle(frame(2), lost=True)
    assert not np.array_equal(display.last, shown)
