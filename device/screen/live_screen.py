"""The attached screen during a session: composes the picture, shows it, and passes taps on."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from device.screen.display import Display
from device.screen.layout import SIZE, Button, ScreenState, button_at, compose
from device.session.active_faults import ActiveFaults
from device.session.inference_worker import STORE
from device.session.results import Examined
from device.session.session import Rate
from device.session.supervisor import Policy
from device.store.recorder import SeenAgain
from device.system.clock import Clock
from smear.errors import DisplayError, ImageError, StoreError
from smear.findings import Finding, Frame
from smear.memory import memory_for

DISPLAY = "display"
_REFRESH_S = 0.5  # of the live picture while nothing is examined


class PatientDisplay:
    """A display that is reopened when it is lost; without one the session goes on, and the journal says so."""

    def __init__(
        self,
        open_display: Callable[[], Display],
        faults: ActiveFaults,
        clock: Clock,
        *,
        policy: Policy | None = None,
        closable: bool = True,
    ) -> None:
        self._open_display = open_display
        self._faults = faults
        self._clock = clock
        self._display: Display | None = None
        self._policy = policy or Policy()
        self._closable = closable  # False: pressing Escape does not end a service
        self._waited_s = 0.0
        self._again_at_s = 0.0
        self.path: Path | None = None  # of a display that writes a picture

    def open_first(self) -> None:
        """Open the display now, for callers that must know at once when it is missing.

        Raises:
            DisplayError: it cannot be opened.
        """
        self._display = self._open_display()
        self.path = getattr(self._display, "path", None)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self._display.size if self._display is not None else SIZE

    def show(self, screen: NDArray[np.uint8]) -> None:
        """Show RGB uint8 (height, width, 3) `screen`, if there is a display."""
        display = self._opened()
        if display is None:
            return
        try:
            display.show(screen)
        except DisplayError as error:
            self._lost(error)
            return
        self._waited_s = 0.0
        self._faults.resolve(DISPLAY)

    def taps(self) -> list[tuple[int, int]]:
        """Return the taps since the last call."""
        if self._display is None:
            return []
        try:
            return self._display.taps()
        except DisplayError as error:
            self._lost(error)
        except KeyboardInterrupt:
            if self._closable:
                raise
        return []

    def close(self) -> None:
        """Release the display; safe to call twice."""
        if self._display is not None:
            self._display.close()

    def _opened(self) -> Display | None:
        if self._display is None and self._clock.monotonic_s() >= self._again_at_s:
            try:
                self.open_first()
            except DisplayError as error:
                self._lost(error)
        return self._display

    def _lost(self, error: DisplayError) -> None:
        self.close()
        self._display = None
        self._waited_s = min(self._policy.most_s, self._waited_s * 2 or self._policy.first_s)
        self._again_at_s = self._clock.monotonic_s() + self._waited_s
        self._faults.report(DISPLAY, str(error))


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

    def show(self, examined: Examined) -> None:
        """Show one result."""
        now = self._quiet_since_s = self._clock.monotonic_s()
        self._rate.add(examined.number, now)
        recorded = examined.recorded
        self._put(
            replace(
                self.state,
                frame=examined.frame,
                finding=examined.finding,
                fields_per_s=self._rate.per_s,
                model=model_line(examined.finding),
                slide=recorded.slide,
                accepted=recorded.tally.accepted,
                refused=recorded.tally.refused,
                shares={name: share.share for name, share in recorded.tally.class_shares().items()},
                warnings=(*self._faults.current.values(), *_warnings(examined)),
                not_cleared=not recorded.qc.cleared,
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
                screen = compose(state, self._display.size)
        except ImageError as error:
            self._faults.report(DISPLAY, str(error))
        else:
            self._display.show(screen)
        self._act()

    def _act(self) -> None:
        for x, y in self._display.taps():
            button = button_at(x, y, self._display.size)
            if button is not None and button in self._actions:
                try:
                    self._actions[button]()
                except StoreError as error:
                    self._faults.report(STORE, str(error))


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
