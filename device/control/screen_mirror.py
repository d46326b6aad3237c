"""The device's screen for who looks from elsewhere: its picture, encoded once for all of them, and what they touch."""

import math
import secrets
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from device.actions.base import ActionError
from device.actions.device import TOUCH
from device.control.protocol import ControlError
from device.control.record_answers import ENVELOPE
from device.screen.navigation.inputs import Input, Key, Tap, Text
from device.store import Store
from device.store.names import checked_operator
from device.store.review.audit_trail import Action
from device.system.clock import Clock
from smear.errors import ImageError
from smear.images import encode
from smear.memory import memory_for
from smear.output_files import printable

WIDTH_PX = 1280  # of the picture, at most
EVERY_S = 0.4  # a picture, at most: PNG takes 4 ms for 800x480, with no loss in the letters
LOOKING_S = 5.0  # after the last request somebody is taken to look still
_FIRST_S = 1.0  # to wait for the first picture


class ScreenMirror:
    """Holds a copy of the screen while somebody looks; the screen's own thread never waits for who does."""

    def __init__(self, clock: Clock, fault: Callable[[], str | None]) -> None:
        """`fault` says why the screen shows nothing, if it does not."""
        self.page = ""  # what is shown, in words
        self.secret = False  # a PIN is typed on it
        self.web: dict[str, str] = {}  # what the web said of itself: in memory alone
        self._clock, self._fault = clock, fault
        self._changed, self._encoding = threading.Condition(), threading.Lock()
        self._copy: NDArray[np.uint8] | None = None
        self._tag, self._encoded = "", ("", b"")  # a tag names one picture, whichever process made it
        self._asked_s = self._copied_s = -math.inf
        self._stale, self._size = True, (1, 1)
        self._touched: list[Input] = []

    @property
    def wants_a_picture(self) -> bool:
        """Whether somebody looks and has not seen what the screen shows."""
        return self._stale and self._watched and self._clock.monotonic_s() - self._copied_s >= EVERY_S

    @property
    def _watched(self) -> bool:
        return self._clock.monotonic_s() - self._asked_s <= LOOKING_S

    def shown(self, screen: NDArray[np.uint8]) -> None:
        """Keep a copy of `screen`, RGB uint8 (height, width, 3), for who looks; nobody: none."""
        self._size, self._stale = (screen.shape[1], screen.shape[0]), True
        if self.wants_a_picture:
            with self._changed, suppress(ImageError), memory_for("the copy of the screen"):
                self._stale, self._copied_s = False, self._clock.monotonic_s()
                if self._copy is None or not np.array_equal(self._copy, screen):
                    self._copy, self._tag = screen.copy(), secrets.token_hex(8)
                    self._changed.notify_all()

    def touched(self) -> list[Input]:
        """Return what was touched and typed since the last call; forget a picture that nobody looks at any more."""
        with self._changed:
            if not self._watched:
                self._copy, self._encoded, self._stale = None, ("", b""), True
            given, self._touched = self._touched, []
        return given

    def picture(self, known: object = None) -> dict[str, Any]:
        """Return the picture with its tag, or the tag alone where it is `known`.

        Raises:
            ControlError: the screen shows nothing.
        """
        if fault := self._fault():
            raise ControlError(f"the device's screen shows nothing: {fault}")
        with self._changed:
            self._asked_s = self._clock.monotonic_s()
            self._changed.wait_for(lambda: self._copy is not None, _FIRST_S)
            copy, tag = self._copy, self._tag
        if copy is None:
            raise ControlError("the device's screen shows nothing yet; look again")
        with self._encoding:
            if self._encoded[0] != tag != known:
                scale = min(1.0, WIDTH_PX / copy.shape[1])
                small = cv2.resize(copy, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
                self._encoded = tag, encode(small, ".png")
            return {"tag": tag} | ({} if tag == known else {"picture": self._encoded[1]})

    def web_is(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Keep what the web says of itself: its address, its certificate, the first password until that was used."""
        given = {name: request[name] for name in ("address", "fingerprint", "password") if name in request}
        self.web |= {name: printable(str(each)[:200]) for name, each in given.items()}
        return {}

    def touch(self, store: Store, request: Mapping[str, Any]) -> dict[str, Any]:
        """Do what a person elsewhere does at the screen, once it stands in the audit trail of `store`."""
        operator = checked_operator(str(request.get("operator", "")))
        asked = TOUCH.parsed({name: each for name, each in request.items() if name not in ENVELOPE})
        given: list[Input] = [*([Text(asked.text)] if asked.text else []), *([Key(asked.key)] if asked.key else [])]
        if not given and (asked.x is None or asked.y is None):
            raise ActionError("screen touch: give x and y, a text, or a key")
        given = given or [Tap(int((asked.x or 0) * self._size[0]), int((asked.y or 0) * self._size[1]))]
        page = self.page
        said = "a PIN" if self.secret else " ".join(map(str, given))
        store.note_of_device(operator, Action.SCREEN, page, said)
        with self._changed:
            self._touched += given
        return {"page": page}
