"""The attached screen during a session: composes what is known, shows it, and hands taps on."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace

from device.compose import Button, ScreenState, button_at, compose
from device.protocols import Clock, Display
from device.session import Examined
from smear.field import Finding, Frame

_RATE_OVER = 10  # results: long enough to be steady, short enough to follow a change of the load


class LiveScreen:
    """Shows one session on one display."""

    def __init__(
        self,
        display: Display,
        clock: Clock,
        *,
        camera: str,
        simulated: bool,
        actions: Mapping[Button, Callable[[], object]],
        lost_after_s: float,
    ) -> None:
        self._display = display
        self._clock = clock
        self._state = ScreenState(camera=camera, simulated=simulated)
        self._actions = actions
        self._lost_after_s = lost_after_s
        self._shown: deque[tuple[int, float]] = deque(maxlen=_RATE_OVER)  # number of the result, when it came
        self._quiet_since_s = clock.monotonic_s()

    def show(self, examined: Examined) -> None:
        """Show one result."""
        now = self._clock.monotonic_s()
        self._shown.append((examined.number, now))
        self._quiet_since_s = now
        recorded = examined.recorded
        self._put(
            replace(
                self._state,
                frame=examined.frame,
                finding=examined.finding,
                fields_per_s=self._rate(),
                model=model_line(examined.finding),
                slide=recorded.slide,
                accepted=recorded.tally.accepted,
                refused=recorded.tally.refused,
                shares={name: share.share for name, share in recorded.tally.class_shares().items()},
                warnings=_warnings(examined),
            )
        )

    def idle(self, newest: Frame | None) -> None:
        """Look for taps; say when no result came for too long, so that an old one is never taken for live."""
        now = self._clock.monotonic_s()
        if now - self._quiet_since_s > self._lost_after_s:
            self._quiet_since_s = now
            waiting = f"no result for {self._lost_after_s:g} s: check the camera and its cable"
            self._put(replace(self._state, frame=None, finding=None, fields_per_s=0.0, warnings=(waiting,)))
        elif not self._shown and self._state.frame is None and newest is not None:
            self._put(replace(self._state, frame=newest))  # something to focus by until the first result
        self._act()

    def close(self) -> None:
        """Give the screen back; safe to call twice."""
        self._display.close()

    def _put(self, state: ScreenState) -> None:
        self._state = state
        self._display.show(compose(state, self._display.size))
        self._act()

    def _act(self) -> None:
        for x, y in self._display.taps():
            button = button_at(x, y, self._display.size)
            if button is not None and button in self._actions:
                self._actions[button]()

    def _rate(self) -> float:
        (first, began), (last, ended) = self._shown[0], self._shown[-1]
        return (last - first) / (ended - began) if ended > began else 0.0


def model_line(finding: Finding) -> str:
    """Return what looked at a field, in one line."""
    return f"{finding.level} · {finding.runtime} · bundle {finding.bundle_sha256[:8]}"


def _warnings(examined: Examined) -> tuple[str, ...]:
    recorded = examined.recorded
    warnings = []
    if recorded.fault:
        warnings.append(f"not stored: {recorded.fault}")
    if recorded.slide is None:
        warnings.append("no slide is open: nothing is recorded")
    elif recorded.seen_before:
        warnings.append("this field is counted already: move the stage")
    return tuple(warnings)
