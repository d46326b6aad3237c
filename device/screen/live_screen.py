"""The attached screen during a session: makes of each result what the pages show."""

from dataclasses import replace
from typing import Protocol

from device.screen.layout import ScreenState
from device.screen.navigation.navigator import Act, Navigator
from device.screen.patient_display import PatientDisplay
from device.session.active_faults import ActiveFaults
from device.session.results import Examined
from device.session.session import Rate
from device.store.recorder import SeenAgain
from device.system.clock import Clock
from smear.findings import Finding, Frame

_REFRESH_S = 0.5  # of the live picture while nothing is examined


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
        act: Act,
        lost_after_s: float,
    ) -> None:
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
        self._navigator.turn()

    def close(self) -> None:
        """Release the display; safe to call twice."""
        self._navigator.close()

    def _clear(self, frame: Frame | None, warnings: tuple[str, ...]) -> None:
        self._rate.forget()
        self._put(replace(self.state, frame=frame, finding=None, field_id=None, fields_per_s=0.0, warnings=warnings))

    def _put(self, state: ScreenState) -> None:
        self.shows, self._has_result = _key(state.frame), state.finding is not None
        self._shown_at_s = self._clock.monotonic_s()
        state = replace(state, camera=self._source.name, simulated=self._source.simulated)
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
