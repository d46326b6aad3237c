"""What is wrong now, by part: shown on the screen, in `smearscope status`, and written to the journal once."""

import re
import threading
import time
from collections.abc import Callable

from device.system.systemd import Journal, Priority

_NUMBERS = re.compile(r"[0-9a-f]*[0-9][0-9a-f]*")  # of fields and files: a full disk would name a new one each time
_QUIET_S = 60.0  # a fault that comes and goes is written again no sooner: the journal must not wear the card
_REMEMBERED = 256  # sentences: a folder of damaged pictures names each of them


class ActiveFaults:
    """The faults of a session's parts; any thread may report and resolve them."""

    def __init__(self, journal: Journal, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._journal = journal
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._current: dict[str, str] = {}
        self._written_s: dict[tuple[str, str], float] = {}  # by part and sentence without its numbers

    def report(self, part: str, text: str) -> None:
        """Note what is wrong with `part`; the same sentence is written once a minute, whatever its numbers."""
        with self._lock:
            known, self._current = self._current.get(part), {**self._current, part: text}
            new = known is None or _NUMBERS.sub("", known) != _NUMBERS.sub("", text)
            written = new and self._may_be_written(part, text)
        if written:
            self._journal.say(Priority.WARNING, text)

    def resolve(self, part: str) -> None:
        """Note that `part` works again."""
        with self._lock:
            known = self._current.get(part)
            self._current = {name: text for name, text in self._current.items() if name != part}
            written = known is not None and self._may_be_written(part, "works again")
        if written:
            self._journal.say(Priority.NOTICE, f"{part}: works again")

    @property
    def current(self) -> dict[str, str]:
        """What is wrong, by part, oldest first."""
        return self._current

    def _may_be_written(self, part: str, text: str) -> bool:
        now_s, key = self._monotonic_s(), (part, _NUMBERS.sub("", text))
        if now_s - self._written_s.get(key, -_QUIET_S) < _QUIET_S:
            return False
        if len(self._written_s) >= _REMEMBERED:
            self._written_s.clear()
        self._written_s[key] = now_s
        return True
