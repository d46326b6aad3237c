"""Notifications to systemd (ready, alive, status), and lines for its journal with their priority."""

import os
import socket
import sys
from collections.abc import Callable, Mapping
from enum import IntEnum


class Priority(IntEnum):
    """The priority of a line in the journal, as numbered by syslog(3)."""

    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFO = 6


class Journal:
    """Writes lines to stderr; with the prefixes of sd-daemon(3) where stderr is the journal."""

    def __init__(
        self, environment: Mapping[str, str] = os.environ, keep: Callable[["Priority", str], None] | None = None
    ) -> None:
        """`keep` is handed each line too."""
        self._prefixed = "JOURNAL_STREAM" in environment
        self._keep = keep

    def say(self, priority: Priority, text: str) -> None:
        """Write one line."""
        line = " ".join(text.split())
        sys.stderr.write(f"<{priority:d}>{line}\n" if self._prefixed else f"smearscope: {line}\n")
        sys.stderr.flush()
        if self._keep is not None:
            self._keep(priority, line)


class Notifier:
    """The datagrams of sd_notify(3); does nothing where no service manager listens."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._socket: socket.socket | None = None
        self._ready = False
        self._status = ""
        self.watchdog_s = _watchdog_s(environment)
        """Without WATCHDOG=1 for this long systemd kills the service; None: there is no watchdog."""
        if path := environment.get("NOTIFY_SOCKET"):
            address = "\0" + path[1:] if path.startswith("@") else path
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)  # a service manager that does not read must not block the session
            try:
                self._socket.connect(address)
            except OSError:
                self._socket.close()
                self._socket = None

    @property
    def managed(self) -> bool:
        """True under a service manager: there is no user at a terminal."""
        return self._socket is not None

    @property
    def is_ready(self) -> bool:
        """True once `ready` was sent."""
        return self._ready

    def ready(self) -> None:
        """Report, once, that the service works."""
        if not self._ready:
            self._ready = True
            self._send("READY=1")

    def watchdog(self) -> None:
        """Report that fields still reach the end of the pipeline."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """Set the line of `systemctl status`; an unchanged one is not sent again."""
        line = " ".join(text.split())
        if line != self._status:
            self._status = line
            self._send(f"STATUS={line}")

    def more_time(self, seconds: float) -> None:
        """Ask for `seconds` more to start, as the camera may appear late."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def stopping(self) -> None:
        """Report that the service is stopping."""
        self._send("STOPPING=1")

    def close(self) -> None:
        """Close the socket; safe to call twice."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, message: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.send(message.encode())
        except OSError:
            self._ready = self._ready and message != "READY=1"  # its queue is full, or it restarts: sent again later


def _watchdog_s(environment: Mapping[str, str]) -> float | None:
    micros, process = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not micros.isdecimal() or (process and process != str(os.getpid())):
        return None
    return int(micros) / 1e6
