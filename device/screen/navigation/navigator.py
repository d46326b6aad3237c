"""The pages that are open, one over the other: hands them what was touched and typed, and performs their actions."""

import math
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from device.screen.arrangement import arrange
from device.screen.layout import ScreenState
from device.screen.navigation.composition import Composed, Overlay, compose
from device.screen.navigation.inputs import Input, Key, Tap, Text
from device.screen.navigation.page import Back, Control, Home, Notice, Open, Outcome, Page, Perform, Pressed, Stay
from device.screen.navigation.parts import BACK, HELP
from device.screen.pages.help import help_of
from device.screen.pages.live import LivePage
from device.screen.pages.lock import LockPage
from device.screen.pages.new_slide import new_slide
from device.screen.patient_display import DISPLAY, PatientDisplay
from device.screen.reduction import reduced
from device.session.active_faults import ActiveFaults
from device.system.clock import Clock
from smear.errors import ImageError, SmearscopeError
from smear.memory import memory_for

NOTICE_S = 2.5  # long enough to be read, short enough to be gone when the next thing is done
READING_S = 0.06  # for each character of a longer one: 17 characters a second, as subtitles have
AT_ONCE_S = 0.1  # an action that takes no longer is done before the next picture; of others it is said that they go on
BURST_S, SCANNED = 0.08, 3  # so many characters without a longer pause come from a barcode scanner, not from a hand
WORKING = "One moment …"
REFRESH_S = 0.5  # of a page that does not show the live picture
_STEPS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}

Act = Callable[[str, Mapping[str, Any]], Any]
"""Performs an action by its name, and returns its answer; raises SmearscopeError."""


class Navigator:
    """Shows one page of many on one display."""

    def __init__(self, display: PatientDisplay, clock: Clock, faults: ActiveFaults, act: Act) -> None:
        self.live = ScreenState()
        self._display = display
        self._clock = clock
        self._faults = faults
        self._act = act
        # Else whoever switches the power off and on has unlocked it.
        self._pages: list[Page] = [LivePage(), *[LockPage()] * (display.lock_after_s is not None)]
        self._touched_s = clock.monotonic_s()
        self._composed: Composed | None = None
        self._composed_s = 0.0
        self._focus: int | None = None
        self._notice, self._notice_until_s = "", 0.0
        self._typed, self._typed_s = "", 0.0  # characters that may be the beginning of a code
        self._worker = ThreadPoolExecutor(2, "screen action")  # its threads start with the first actions
        self._doing: tuple[Perform, Future[Any]] | None = None
        self._long: tuple[Perform, Future[Any]] | None = None  # one that holds nothing up

    @property
    def page(self) -> Page:
        """The page that is shown."""
        return self._pages[-1]

    def show(self, live: ScreenState) -> None:
        """Show a new result or picture, and do what was touched meanwhile."""
        before = self.page
        if not self.feed(live):
            return
        moving = self.page.shows_live or self.page is not before
        if moving or self._clock.monotonic_s() - self._composed_s >= REFRESH_S:
            self._compose()
        self.turn()

    def feed(self, live: ScreenState) -> bool:
        """Hand a new result to the pages, and show nothing yet; False: there is no memory for it."""
        try:
            with memory_for("the picture on the screen"):
                self.live = reduced(live, self._display.size)
        except ImageError as error:
            self._faults.report(DISPLAY, str(error))
            return False
        self._pages = [each.fed(self.live) for each in self._pages]
        return True

    def follow(self, live: ScreenState, picture_alone: bool) -> None:
        """Show the camera's next picture; `picture_alone`: all that `live` says beside it is on the screen already."""
        self.live = live
        drawn, size, density = self._composed, self._display.size, self._display.dots_per_inch
        kept = picture_alone and drawn is not None and drawn.canvas.pixels.shape[1::-1] == size
        if drawn is not None and kept and self.page.redraw(drawn.canvas, arrange(size, density), live):
            self._display.show(drawn.canvas.pixels)
        else:
            self._compose()

    def turn(self) -> None:
        """Do what was touched and typed since the last turn, and what an action that is done leads to."""
        changed, now = self._resized() or self._display.mirror.wants_a_picture, self._clock.monotonic_s()
        for each in self._display.inputs():
            changed, self._touched_s = True, now
            if isinstance(each, Text) and not self.page.takes_text:
                self._typed, self._typed_s = self._typed + each.characters, now
            elif not self._type() or each != Key("return"):
                self._take(each)
        if self._typed and now - self._typed_s >= BURST_S:
            self._type()
            changed = True
        changed = self._lock(now) or self._finish(0.0) or changed
        if self._notice and self._clock.monotonic_s() >= self._notice_until_s and self._doing is None:
            self._notice, changed = "", True
        if changed:
            self._compose()

    def close(self) -> None:
        """Release the display, and let an action that goes on end by itself; safe to call twice."""
        self._worker.shutdown(wait=False, cancel_futures=True)
        self._display.close()

    def _lock(self, now: float) -> bool:
        """Lock a screen that nobody has touched for as long as was chosen."""
        after_s = self._display.lock_after_s
        if after_s is None or now - self._touched_s < after_s or self.page.locks or self._doing is not None:
            return False
        self._follow(Open(LockPage()))
        return True

    def _compose(self) -> None:
        size, theme, density = self._display.size, self._display.theme, self._display.dots_per_inch
        overlay = Overlay(self._focus, self._notice, self._doing is not None)
        self._composed_s = self._clock.monotonic_s()
        self._composed = None  # not two pictures at once: one of 1920x1080 takes 6 MB
        try:
            with memory_for("the picture on the screen"):
                self._composed = compose(self.page, self.live, size, theme, density, overlay, self._display.language)
        except ImageError as error:
            self._faults.report(DISPLAY, str(error))
            return
        self._display.mirror.page, self._display.mirror.secret = self.page.title or "live picture", self.page.secret
        self._display.show(self._composed.canvas.pixels)

    def _resized(self) -> bool:
        return self._composed is not None and self._composed.canvas.pixels.shape[1::-1] != self._display.size

    def _controls(self) -> tuple[Control, ...]:
        """Return what can be pressed now; after a page was left it is composed, so that the next key finds its own."""
        if self._composed is None:
            self._compose()
        return self._composed.controls if self._composed is not None else ()

    def _type(self) -> bool:
        """Take the characters typed on a page without fields: keys, or a scanned code; tell whether it was a code."""
        typed, self._typed = self._typed, ""
        if len(typed) >= SCANNED:
            self._follow(new_slide(typed))
            self._finish(AT_ONCE_S)
            return True
        for character in typed:
            self._take(Key("f1" if character == "?" else character.lower()))
        return False

    def _take(self, given: Input) -> None:
        if self._doing is not None:
            return  # it is for a page that is about to go
        if math.isinf(self._notice_until_s):
            self._notice, self._notice_until_s = "", 0.0
        match given:
            case Text():
                self._press(given)
            case Tap(x, y):
                self._focus = None
                for each in self._controls():
                    if each.box.holds(x, y) and each.usable:
                        self._press(each)
                        break
            case Key("tab" | "shift tab" | "left" | "right" | "up" | "down" as name):
                self._focus = moved(controls := self._controls(), self._focus, name)
                if self._focus is not None and controls[self._focus].field:
                    self._press(controls[self._focus])
            case Key():
                self._key(given)
        self._finish(AT_ONCE_S)

    def _key(self, key: Key) -> None:
        controls = self._controls()
        chosen = controls[self._focus] if self._focus is not None and self._focus < len(controls) else None
        if key == Key("return") and chosen is not None and not chosen.field:
            return self._press(chosen)
        pressed = next((each for each in controls if each.key == key.name and each.usable), None)
        if pressed is not None:
            self._press(pressed)
        elif self.page.locks:
            self._press(key)
        elif key == Key(HELP.key):
            self._follow(Open(help_of(self.page, controls)))
        elif key == Key("escape"):
            self._follow(Back())
        else:
            self._press(key)

    def _press(self, pressed: Pressed) -> None:
        match pressed:
            case Control(BACK.name):
                self._follow(Back())
            case Control(HELP.name):
                self._follow(Open(help_of(self.page, self._controls())))
            case _:
                self._follow(self.page.press(pressed, self.live))

    def _follow(self, outcome: Outcome) -> None:
        before = type(self.page)
        match outcome:
            case Perform(meanwhile="") as perform:
                self._doing = perform, self._worker.submit(self._act, perform.action, perform.request)
                return
            case Perform() as perform if self._long is not None:
                return self._say(self._long[0].meanwhile)
            case Perform() as perform:
                self._long = perform, self._worker.submit(self._act, perform.action, perform.request)
                return self._say(perform.meanwhile)
            case Stay(page):
                self._pages[-1] = page
            case Open(page):
                self._pages.append(page)
            case Back() if len(self._pages) > 1:
                self._pages.pop()
            case Home(page):
                self._pages[1:] = [page] if page is not None else []
        if type(self.page) is not before:
            self._focus = None
        self._composed = None
        self._say(outcome.text if isinstance(outcome, Notice) else outcome.notice)

    def _say(self, notice: str) -> None:
        if notice:
            self._notice = notice
            self._notice_until_s = self._clock.monotonic_s() + max(NOTICE_S, READING_S * len(notice))

    def _finish(self, wait_s: float) -> bool:
        """Follow an action that is done within `wait_s`, and those that it leads to; tell whether there was one."""
        found = False
        if self._long is not None and self._long[1].done():
            done, self._long, found = self._long, None, True
            self._follow(_outcome(*done))
            self._notice_until_s = math.inf  # whoever started it may be doing something else
        while self._doing is not None:
            if not wait((self._doing[1],), wait_s).done:
                self._notice = WORKING
                return found
            done, self._doing, self._notice, found = self._doing, None, "", True
            self._follow(_outcome(*done))
        return found


def _outcome(perform: Perform, done: "Future[Any]") -> Outcome:
    try:
        return perform.then(done.result())
    except SmearscopeError as error:
        return Notice(str(error))
    except Exception as error:  # noqa: BLE001 - the page's boundary: no button may end the session
        return Notice(f"{type(error).__name__}: {error}; please report this")


def moved(controls: tuple[Control, ...], focus: int | None, key: str) -> int | None:
    """Return the number of the control that `key` moves to: the next by Tab, the nearest in the arrow's direction."""
    able = [number for number, each in enumerate(controls) if each.usable and each.focusable]
    if not able:
        return None
    if focus is None:
        focus = next((number for number in able if controls[number].active), None)
    if focus not in able:
        return able[-1] if key == "shift tab" else able[0]
    if key in {"tab", "shift tab"}:
        return able[(able.index(focus) + (1 if key == "tab" else -1)) % len(able)]
    across, down = _STEPS[key]
    here = controls[focus].box

    def distance(number: int) -> float | None:
        box = controls[number].box
        x = box.x + box.width / 2 - here.x - here.width / 2
        y = box.y + box.height / 2 - here.y - here.height / 2
        along, aside = x * across + y * down, abs(x * down) + abs(y * across)
        return along + 3 * aside if along > 0 else None

    found = [(away, number) for number in able if (away := distance(number)) is not None]
    return min(found)[1] if found else focus
