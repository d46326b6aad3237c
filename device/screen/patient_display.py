"""A display that is waited for: lost or missing it is opened again, and the session goes on meanwhile."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from device.control.screen_mirror import ScreenMirror
from device.screen.arrangement import SIZE, workable
from device.screen.choices import Choices, fixed
from device.screen.display import Display
from device.screen.displays import open_display
from device.screen.drawing.themes import DARK, THEMES, Theme
from device.screen.drawing.translation import ENGLISH
from device.screen.navigation.inputs import Input, Tap
from device.screen.navigation.screen_lock import lock_after_s
from device.session.active_faults import ActiveFaults
from device.session.supervisor import Policy
from device.settings import DisplaySettings
from device.system.backlight import brightness, set_brightness
from device.system.clock import Clock
from smear.errors import DisplayError, SmearscopeError

DISPLAY = "display"
_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


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
    shown = PatientDisplay(opened, faults, clock, closable=not patient, rotation=settings.rotation)
    shown.theme, shown.language, shown.lock_after_s = THEMES[said.theme], said.language, lock_after_s(data)
    return shown


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
        rotation: int = 0,
    ) -> None:
        """`rotation`: degrees clockwise by which each picture is turned before it is shown."""
        self.theme: Theme = DARK
        self.language = ENGLISH
        self.lock_after_s: float | None = None  # without a touch; None: there is no PIN
        self._rotation = rotation
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
        """Width and height in pixels of the pictures to be shown, before they are turned."""
        width, height = self._display.size if self._display is not None else SIZE
        return workable((height, width)) if self._rotation in {90, 270} else (width, height)

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
            display.show(cv2.rotate(screen, _TURNS[self._rotation]) if self._rotation else screen)
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
            found, size = self._display.inputs(), self._display.size
            return given + [turned_back(each, size, self._rotation, self.size) for each in found]
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


def turned_back(given: Input, shown: tuple[int, int], rotation: int, size: tuple[int, int]) -> Input:
    """Return a tap on a screen of `shown` width and height as one on the picture of `size` that was turned for it."""
    if not isinstance(given, Tap):
        return given
    across, down = (given.x + 0.5) / shown[0], (given.y + 0.5) / shown[1]
    x, y = {0: (across, down), 90: (down, 1 - across), 180: (1 - across, 1 - down), 270: (1 - down, across)}[rotation]
    return Tap(int(x * size[0]), int(y * size[1]))
