"""The signals that end a session, or the examination of an archive."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from device.system.systemd import Notifier


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM, by which batch systems end a job, and SIGHUP do what Ctrl-C does."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # nohup
            signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def stopping(notifier: Notifier) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Let Ctrl-C, SIGTERM and SIGHUP set an event, so that the field under examination is finished and recorded.

    The second event is set by SIGHUP: the terminal is gone, perhaps with the network, and nobody asked for an end.
    A second Ctrl-C interrupts at once.
    """
    stop, hung_up = threading.Event(), threading.Event()

    def on_interrupt(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    def on_hang_up(number: int, frame: FrameType | None) -> None:
        hung_up.set()
        stop.set()

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    signal.signal(signal.SIGINT, on_interrupt)
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    if before[signal.SIGHUP] is not signal.SIG_IGN:  # nohup
        signal.signal(signal.SIGHUP, on_hang_up)
    try:
        yield stop, hung_up
    finally:
        notifier.stopping()
        for number, handler in before.items():
            signal.signal(number, handler)
