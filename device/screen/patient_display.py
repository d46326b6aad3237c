"""A display that is waited for: lost or missing it is opened again, and the session goes on meanwhile."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.control.screen_mirror import ScreenMirror
from device.screen.arrangement import SIZE
from device.screen.choices import Choices, fixed
from device.screen.display import Display
from device.screen.displays import open_display
from device.screen.drawing.themes import DARK, THEMES, Theme
from device.screen.drawing.translation import ENGLISH
from device.screen.navigation.inputs import Input
from device.session.active_faults import ActiveFaults
from device.session.supervisor import Policy
from device.settings import DisplaySettings
from device.system.backlight import brightness, set_brightness
from device.system.clock import Clock
from smear.errors import DisplayError, SmearscopeError

DISPLAY = "display"


def display_of(
    settings: DisplaySettings, name: str | None, data: Path, faults: ActiveFaults, clock: Clock, patient: bool
) -> "PatientDisplay":
    """Return the display called `name`, or the one of the settings, opened when it is first needed.

    It is as a person chose at the screen, where the settings file says nothing else.
    """
    opened, kept = partial(open_display, name or settings.name, png_path=data / "screen.png"), Choices.read(data)
    if kept.brightness is not None and brightness() is not None:
        with suppress(SmearscopeError):  # the settings page says it to who sets it anew
            set_brightness(kept.brightness)
    said = kept.model_copy(update=settings.model_dump(include=fixed(settings)))
    return PatientDisplay(opened, faults, clock, closable=not patient, theme=THEMES[said.theme], language=said.language)


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
        theme: Theme = DARK,
        language: str = ENGLISH,
    ) -> None:
        self.theme, self.language = theme, language
        self._open_display = open_display
        self._faults = faults
        self._clock = clock
        self._display: Display | None = None
        self._policy = policy or Policy()
        self._closable = closable  # False: Ctrl-Q does not end a service
        self._waited_s = 0.0
        self._again_at_s = 0.0
        self.path: Path | None = None  # of a display that writes a picture
        self.mirror = ScreenMirror(clock, lambda: faults.current.get(DISPLAY))

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

    @property
    def dots_per_inch(self) -> float | None:
        """How fine the screen is; None: not known."""
        return getattr(self._display, "dots_per_inch", None)

    @property
    def fluid(self) -> bool:
        """Whether it can show thirty pictures a second."""
        return getattr(self._display, "fluid", False)

    def show(self, screen: NDArray[np.uint8]) -> None:
        """Show RGB uint8 (height, width, 3) `screen`, if there is a display."""
        self.mirror.shown(screen)
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

    def inputs(self) -> list[Input]:
        """Return what was touched, pressed and typed since the last call, here or at the mirror."""
        given = self.mirror.touched()
        if self._display is None:
            return given
        try:
            return given + self._display.inputs()
        except DisplayError as error:
            self._lost(error)
        except KeyboardInterrupt:
            if self._closable:
                raise
        return given

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
