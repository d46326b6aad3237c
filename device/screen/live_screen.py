"""The attached screen during a session: composes the picture, shows it, and passes taps on."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from device.screen.arrangement import Button
from device.screen.layout import ScreenState, button_at, compose, with_notice
from device.screen.patient_display import DISPLAY, PatientDisplay
from device.session.active_faults import ActiveFaults
from device.session.inference_worker import STORE
from device.session.results import Examined
from device.session.session import Rate
from device.store.recorder import SeenAgain
from device.system.clock import Clock
from smear.errors import ImageError, StoreError
from smear.findings import Finding, Frame
from smear.memory import memory_for

NOTICE_S = 2.5  # long enough to be read, short enough to be gone when the next thing is done
_REFRESH_S = 0.5  # of the live picture while nothing is examined
_DONE = {
    Button.NEW_SLIDE: ("new slide started", "no slide was started"),
    Button.END_SLIDE: ("slide ended", "no slide is open"),
    Button.KEEP_FIELD: ("field kept", "no field to keep"),
}
"""What is said when an action has done something, and when there was nothing to do: it returned None."""


class Source(Protocol):
    """Where the fields come from: a `CameraWorker`, which knows both once the camera is open."""

    name: str
    simulated: bool


class LiveScreen:
    """Shows one session on one display."""

    def __init__(
        self,
        display: PatientDisplay,
        clock: Clock,
        faults: ActiveFaults,
        source: "Source",
        actions: Mapping[Button, Callable[[], object]],
        lost_after_s: float,
    ) -> None:
        self._display = display
        self._clock = clock
        self._faults = faults
        self._source = source
        self.state = ScreenState()  # what was last composed, without its pictures
        self.shows: tuple[int, float] | None = None  # the frame that it shows; None: there is no picture
        self._actions = actions
        self._lost_after_s = lost_after_s
        self._has_result = False  # else a live picture, or none
        self._rate = Rate()
        self._quiet_since_s = self._shown_at_s = clock.monotonic_s()
        self._composed: NDArray[np.uint8] | None = None  # the newest picture, without a notice
        self._notice, self._notice_until_s = "", 0.0

    def show(self, examined: Examined) -> None:
        """Show one result."""
        now = self._quiet_since_s = self._clock.monotonic_s()
        self._rate.add(examined.number, now)
        recorded, found = examined.recorded, examined.finding
        self._put(
            replace(
                self.state,
                frame=examined.frame,
                finding=found,
                focus=self.state.focus.add(found.quality.focus) if found.cells else self.state.focus,
                fields_per_s=self._rate.per_s,
                model=model_line(found),
                slide=recorded.slide,
                accepted=recorded.tally.accepted,
                refused=recorded.tally.refused,
                shares=recorded.tally.class_shares(),
                warnings=(*self._faults.current.values(), *_warnings(examined)),
                not_cleared=not recorded.qc.cleared,
                qc="cleared" if recorded.qc.asked and recorded.qc.cleared else "",
            )
        )

    def idle(self, newest: Frame | None, lost: bool) -> None:
        """Handle taps; show a lost camera or a pause, so that no old result passes for a live one."""
        quiet_s = self._clock.monotonic_s() - self._quiet_since_s
        sentences = tuple(self._faults.current.values())
        if lost:
            shown = sentences or ("no picture from the camera: check its cable",)
            if self.shows is not None or self.state.warnings != shown:
                self._clear(None, shown)
        elif not self._has_result or quiet_s > self._lost_after_s:
            # A live picture to focus by until a result comes; a result that is too old is removed.
            late = (
                f"no field examined for {quiet_s:.0f} s"
                if quiet_s > self._lost_after_s
                else "examining the first field"
            )
            if _key(newest) != self.shows and self._clock.monotonic_s() - self._shown_at_s >= _REFRESH_S:
                self._clear(newest, sentences or (late,))
        if self._notice and self._clock.monotonic_s() >= self._notice_until_s:
            self._notice = ""
            self._show()
        self._act()

    def close(self) -> None:
        """Release the display; safe to call twice."""
        self._display.close()

    def _clear(self, frame: Frame | None, warnings: tuple[str, ...]) -> None:
        self._rate.forget()
        self._put(replace(self.state, frame=frame, finding=None, fields_per_s=0.0, warnings=warnings))

    def _put(self, state: ScreenState) -> None:
        state = replace(state, camera=self._source.name, simulated=self._source.simulated)
        self.state = replace(state, frame=None, finding=None)  # a frame and a mask of 48 megapixels take 190 MB
        self.shows, self._has_result = _key(state.frame), state.finding is not None
        self._shown_at_s = self._clock.monotonic_s()
        try:
            with memory_for("the picture on the screen"):
                self._composed = compose(state, self._display.size, self._display.theme, self._display.dots_per_inch)
        except ImageError as error:
            self._faults.report(DISPLAY, str(error))
        else:
            self._show()
        self._act()

    def _show(self) -> None:
        screen = self._composed
        if screen is not None and self._notice and self._clock.monotonic_s() < self._notice_until_s:
            screen = with_notice(screen, self._notice, self._display.theme, self._display.dots_per_inch)
        if screen is not None:
            self._display.show(screen)

    def _act(self) -> None:
        for x, y in self._display.taps():
            button = button_at(x, y, self._display.size, self._display.dots_per_inch)
            if button is not None and button in self._actions:
                self._do(button)

    def _do(self, button: Button) -> None:
        done, nothing = _DONE[button]
        try:
            notice = nothing if self._actions[button]() is None else done
        except StoreError as error:
            notice = str(error)
            self._faults.report(STORE, notice)
        self._notice, self._notice_until_s = notice, self._clock.monotonic_s() + NOTICE_S
        self._show()


def _key(frame: Frame | None) -> tuple[int, float] | None:
    return None if frame is None else (frame.sequence, frame.monotonic_s)


def model_line(finding: Finding) -> str:
    """Return the level, runtime and bundle that examined a field, in one line."""
    return f"{finding.level} · {finding.runtime} · bundle {finding.bundle_sha256[:8]}"


def _warnings(examined: Examined) -> tuple[str, ...]:
    recorded = examined.recorded
    warnings = list(examined.warnings)
    if recorded.slide is None:
        warnings.append("no slide is open: nothing is recorded")
    elif recorded.seen_again is SeenAgain.COUNTED:
        warnings.append("this field is counted already: move the stage")
    elif recorded.seen_again is SeenAgain.REFUSED:
        warnings.append("this field was refused before: it counts once it gets a label")
    return tuple(warnings)
