"""The device's screen for who looks from elsewhere: its picture, encoded once for all of them, and what they touch."""

import math
import secrets
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from device.actions.base import Action
from device.actions.screen import ACTIONS, Press, Tap, Type
from device.control.protocol import ControlError
from device.control.record_answers import ENVELOPE
from device.screen.navigation import inputs
from device.screen.navigation.inputs import Input
from device.store import Store
from device.store.names import checked_operator
from device.store.review import audit_trail
from device.system.clock import Clock
from smear.errors import ImageError
from smear.images import encode
from smear.memory import memory_for

WIDTH_PX = 1280  # of the picture, at most
EVERY_S = 0.4  # a picture, at most: PNG takes 4 ms for 800x480, with no loss in the letters
LOOKING_S = 5.0  # after the last request somebody is taken to look still
_WAIT_S = 1.0  # for another picture, before it is said that there is none


class ScreenMirror:
    """Holds a copy of the screen while somebody looks; the screen's own thread never waits for who does."""

    def __init__(self, clock: Clock, fault: Callable[[], str | None]) -> None:
        """`fault` says why the screen shows nothing, if it does not."""
        self.page = ""  # what is shown, in words
        self._clock, self._fault = clock, fault
        self._changed, self._encoding = threading.Condition(), threading.Lock()
        self._copy: NDArray[np.uint8] | None = None
        self._tag, self._encoded = "", ("", b"")  # a tag names one picture, whichever process made it
        self._asked_s = self._copied_s = -math.inf
        self._stale = True
        self._size = (1, 1)
        self._touched: list[Input] = []

    @property
    def wants_a_picture(self) -> bool:
        """Whether somebody looks and has not seen what the screen shows."""
        now = self._clock.monotonic_s()
        return self._stale and now - self._asked_s <= LOOKING_S and now - self._copied_s >= EVERY_S

    def shown(self, screen: NDArray[np.uint8]) -> None:
        """Keep a copy of `screen`, RGB uint8 (height, width, 3), for who looks; nobody: none."""
        now, self._size = self._clock.monotonic_s(), (screen.shape[1], screen.shape[0])
        self._stale = True
        if now - self._asked_s > LOOKING_S or now - self._copied_s < EVERY_S:
            return
        with self._changed, suppress(ImageError), memory_for("the copy of the screen"):
            self._stale, self._copied_s = False, now
            if self._copy is None or not np.array_equal(self._copy, screen):
                self._copy, self._tag = screen.copy(), secrets.token_hex(8)
                self._changed.notify_all()

    def touched(self) -> list[Input]:
        """Return what was touched and typed since the last call; forget a picture that nobody looks at any more."""
        with self._changed:
            if self._copy is not None and self._clock.monotonic_s() - self._asked_s > LOOKING_S:
                self._copy, self._encoded, self._stale = None, ("", b""), True
            given, self._touched = self._touched, []
        return given

    def answers(self, store: Callable[[], Store]) -> dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]]:
        """Return by name what the control socket answers about the screen; `store` has the audit trail."""
        touches = {each.name: partial(self._touch, each, store) for each in ACTIONS}
        return {"screen": lambda request: self.picture(request.get("known")), **touches}

    def picture(self, known: object = None) -> dict[str, Any]:
        """Return the picture and its tag as soon as there is another one than `known`; without `picture`: there is not.

        Raises:
            ControlError: the screen shows nothing.
        """
        if fault := self._fault():
            raise ControlError(f"the device's screen shows nothing: {fault}")
        with self._changed:
            self._asked_s = self._clock.monotonic_s()
            if not self._changed.wait_for(lambda: self._copy is not None and self._tag != known, _WAIT_S):
                if self._copy is None:
                    raise ControlError("the device's screen shows nothing yet; look again")
                return {"tag": self._tag}
            copy, tag = self._copy, self._tag
        assert copy is not None
        with self._encoding:
            if self._encoded[0] != tag:
                scale = min(1.0, WIDTH_PX / copy.shape[1])
                small = cv2.resize(copy, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
                self._encoded = tag, encode(small, ".png")
            return {"tag": tag, "picture": self._encoded[1]}

    def _touch(self, action: Action[Any], store: Callable[[], Store], request: Mapping[str, Any]) -> dict[str, Any]:
        operator = checked_operator(str(request.get("operator", "")))
        asked = action.parsed({name: each for name, each in request.items() if name not in ENVELOPE})
        match asked:
            case Tap(x=x, y=y):
                given: Input = inputs.Tap(int(x * self._size[0]), int(y * self._size[1]))
            case Press(key=key):
                given = inputs.Key(key)
            case Type(text=text):
                given = inputs.Text(text)
        page = self.page
        store().note_of_device(operator, audit_trail.Action.SCREEN, page, str(given))
        with self._changed:
            self._touched.append(given)
        return {"page": page}
