"""What the device says to its journal, also in a small file of the data folder, for who may not read the journal."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from device.cameras.uri import without_credentials
from device.system.clock import Clock, SystemClock
from device.system.systemd import Priority
from smear.bundle.files import FileFault, read_file
from smear.output_files import printable

FILE, OLD = "device.log", "device.log.1"
_BYTES = 200_000  # of one file: a thousand lines and more
_MODE = 0o640  # a line may name a slide: the owner writes, the service's group reads


class LogFile:
    """Adds lines; any thread may. A disk that is full or read-only costs the line, no more."""

    def __init__(self, data: Path, clock: Clock | None = None) -> None:
        self._path, self._clock, self._lock = data / FILE, clock or SystemClock(), threading.Lock()

    def add(self, priority: Priority, text: str) -> None:
        """Add `text`, of which whatever may be a password is left out."""
        shown = printable(without_credentials(" ".join(text.split())))
        line = {"wall_time_s": self._clock.wall_s(), "level": priority.name.lower(), "text": shown}
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with self._lock, suppress(OSError):
            descriptor = os.open(self._path, flags, _MODE)
            try:
                os.write(descriptor, json.dumps(line, allow_nan=False).encode() + b"\n")
                size = os.fstat(descriptor).st_size
            finally:
                os.close(descriptor)
            if size > _BYTES:
                self._path.replace(self._path.with_name(OLD))


def newest_first(data: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines, each with its moment, level and text; one that a power cut has damaged is passed over."""
    for name in (FILE, OLD):
        with suppress(FileFault):
            for line in reversed(read_file(data / name, 2 * _BYTES).splitlines()):
                with suppress(ValueError):
                    found = json.loads(line)
                    if isinstance(found, dict) and found.keys() == {"wall_time_s", "level", "text"}:
                        yield found
