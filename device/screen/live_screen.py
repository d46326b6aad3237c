"""The attached screen during a session: makes of each result what the pages show."""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from device.cameras.calibration.profile import NONE, Calibration
from device.screen.arrangement import arrange
from device.screen.drawing.boxes import Box
from device.screen.field_picture import HERE
from device.screen.layout import ScreenState
from device.screen.live_picture import LivePicture, opacity_at
from device.screen.navigation.navigator import Act, Navigator
from device.screen.patient_display import DISPLAY, PatientDisplay
from device.session.active_faults import ActiveFaults
from device.session.health_worker import BoardState
from device.session.results import Examined
from device.session.session import Rate
from device.store.recorder import SeenAgain
from device.system.clock import Clock
from smear.errors import ImageError
from smear.findings import Finding, Frame
from smear.memory import memory_for

_REFRESH_S = 0.5  # of the live picture where it does not follow the camera, or another page is open
_SHARE = 3.0  # times as long as a picture takes, before the next: inference keeps its cores on a slow board
_PICTURE_S = 1 / 45  # at least, between two pictures: all of a camera with 30 a second, every other of one with 60


class Source(Protocol):
    """Where the fields come from: a `CameraWorker`, which knows both once the camera is open."""

    name: str
    simulated: bool
    stepped: bool  # every frame is another field: the examined one is shown, and none between


class LiveScreen:
    """Shows one session on one display."""

    def __init__(
        self,
        display: PatientDisplay,
        clock: Clock,
        faults: ActiveFaults,
        source: "Source",
        act: Act,
        lost_after_s: float,
        calibration: Callable[[], Calibration] = lambda: NONE,
        board: Callable[[], BoardState | None] = lambda: None,
    ) -> None:
        """`calibration` is asked for what corrects the camera's frames now, `board` for how that is."""
        self._display = display
        self._picture = LivePicture(calibration)
        self._board = board
        self._took_s = 0.0  # for the last picture
        self._due = False  # a result came that is not on the screen yet
        self._clock = clock
        self._faults = faults
        self._source = source
        self._navigator = Navigator(display, clock, faults, act)
        self.shows: tuple[int, float] | None = None  # the frame that it shows; None: there is no picture
        self._lost_after_s = lost_after_s
        self._has_result = False  # else a live picture, or none
        self._rate = Rate()
        self._quiet_since_s = self._shown_at_s = clock.monotonic_s()

    @property
    def state(self) -> ScreenState:
        """What is shown of the session."""
        return self._navigator.live

    @property
    def follows(self) -> bool:
        """Whether the picture follows the camera; else each result is shown with the frame it was made of."""
        return self._display.fluid and not self._source.stepped

    def show(self, examined: Examined) -> None:
        """Show one result; where the picture follows the camera, `idle` does."""
        now = self._quiet_since_s = self._clock.monotonic_s()
        self._rate.add(examined.number, now)
        recorded, found = examined.recorded, examined.finding
        self._put(
            replace(
                self.state,
                frame=examined.frame,
                finding=found,
                placement=HERE,
                focus=self.state.focus.add(found.quality.focus) if found.cells else self.state.focus,
                fields_per_s=self._rate.per_s,
                model=model_line(found),
                slide=recorded.slide,
                field_id=recorded.earlier_id if recorded.field_id is None else recorded.field_id,
                accepted=recorded.tally.accepted,
                refused=recorded.tally.refused,
                shares=recorded.tally.class_shares(),
                warnings=(*self._faults.current.values(), *_warnings(examined)),
                not_cleared=not recorded.qc.cleared,
                qc="cleared" if recorded.qc.asked and recorded.qc.cleared else "",
            )
        )

    def idle(self, newest: Frame | None, lost: bool) -> None:
        """Do what was touched and typed; show a lost camera or a pause, so that no old result passes for a live one."""
        quiet_s = self._clock.monotonic_s() - self._quiet_since_s
        sentences = tuple(self._faults.current.values())
        late = f"no field examined for {quiet_s:.0f} s" if quiet_s > self._lost_after_s else "examining the first field"
        if lost:
            shown = sentences or ("no picture from the camera: check its cable",)
            if self.shows is not None or self.state.warnings != shown:
                self._clear(None, shown)
        elif self.follows:
            self._follow(newest, quiet_s, sentences or (late,))
        elif not self._has_result or quiet_s > self._lost_after_s:
            self._refresh(newest, sentences or (late,))
        self._navigator.turn()

    def close(self) -> None:
        """Release the display; safe to call twice."""
        self._navigator.close()

    def _follow(self, newest: Frame | None, quiet_s: float, warnings: tuple[str, ...]) -> None:
        """Show the camera's newest frame with what was concluded last; without a result, or a late one, `warnings`."""
        now, before = self._clock.monotonic_s(), self.state
        every_s = max(_PICTURE_S, _SHARE * self._took_s) if self._navigator.page.shows_live else _REFRESH_S
        if newest is None or not (self._due or (_key(newest) != self.shows and now - self._shown_at_s >= every_s)):
            return
        live = before
        if quiet_s > self._lost_after_s or before.finding is None:
            live = replace(before, finding=None, field_id=None, fields_per_s=0.0, warnings=warnings)
            self._rate.forget()
        try:
            with memory_for("the picture on the screen"):
                opacity = opacity_at(quiet_s, live.fields_per_s, self._lost_after_s)
                frame, placement = self._picture.of(newest, self._area, opacity)
        except ImageError as error:
            self._faults.report(DISPLAY, str(error))
            return
        live = replace(live, frame=frame, placement=placement, camera=self._source.name, board=self._board())
        same = not self._due and live.finding is before.finding
        same = same and (live.warnings, live.board) == (before.warnings, before.board)
        self.shows, self._shown_at_s, self._due = _key(newest), now, False
        self._navigator.follow(live, same and live.moved_on == before.moved_on)
        self._took_s = self._clock.monotonic_s() - now

    @property
    def _area(self) -> Box:
        return arrange(self._display.size, self._display.dots_per_inch).picture

    def _refresh(self, newest: Frame | None, warnings: tuple[str, ...]) -> None:
        """Show a live picture to focus by until a result comes; a result that is too old is removed."""
        if _key(newest) != self.shows and self._clock.monotonic_s() - self._shown_at_s >= _REFRESH_S:
            self._clear(newest, warnings)

    def _clear(self, frame: Frame | None, warnings: tuple[str, ...]) -> None:
        self._rate.forget()
        nothing = replace(self.state, finding=None, placement=HERE, field_id=None, fields_per_s=0.0)
        self._put(replace(nothing, frame=frame, warnings=warnings))

    def _put(self, state: ScreenState) -> None:
        state = replace(state, camera=self._source.name, simulated=self._source.simulated, board=self._board())
        self._has_result = state.finding is not None
        if self.follows and state.frame is not None:
            self._picture.examined(state.frame, self._area)
            self._due = self._navigator.feed(state)
            return
        self.shows, self._shown_at_s = _key(state.frame), self._clock.monotonic_s()
        self._navigator.show(state)


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
