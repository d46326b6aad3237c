"""Settings of the whole process, made once by the command's entry, before a library that reads them is imported."""

import os
import sys
import threading
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager


def set_process_defaults(environment: MutableMapping[str, str]) -> None:
    """Add the variables that OpenCV, SDL and pygame read when they are loaded; what the user has set stands."""
    for name, value in _DEFAULTS.items():
        environment.setdefault(name, value)
    under_x = environment.get("DISPLAY") and environment.get("SDL_VIDEODRIVER", "x11") == "x11"
    more = _UNDER_X if under_x else {} if has_desktop(environment) else _WITHOUT_DESKTOP
    for name, value in more.items():
        environment.setdefault(name, value)


def has_desktop(environment: Mapping[str, str]) -> bool:
    """Return whether this process runs under X or Wayland."""
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


@contextmanager
def quiet_native_stderr() -> Iterator[None]:
    """Discard what native libraries write to stderr meanwhile, such as LiteRT's line about its delegate at each start.

    Nothing is touched while another thread could write a line that would be lost, nor in a service, whose journal
    should have everything.
    """
    closed = sys.stderr is None  # descriptor 2 may then be any file that was opened since
    if closed or threading.active_count() > 1 or "NOTIFY_SOCKET" in os.environ:
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    silent = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(silent, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(silent)


_DEFAULTS = {
    # Else OpenCV wakes every core for pictures that are finished before the cores are awake.
    "OPENCV_FOR_THREADS_NUM": "1",
    # Else SDL reports each touch a second time, as a click.
    "SDL_TOUCH_MOUSE_EVENTS": "0",
    # Else SDL swallows SIGTERM, by which systemd ends the service.
    "SDL_NO_SIGNAL_HANDLERS": "1",
    # Else pygame prints a greeting to stdout, which may be JSON.
    "PYGAME_HIDE_SUPPORT_PROMPT": "1",
}
_UNDER_X = {
    # Else SDL shows each picture through OpenGL: 108 MB more where Mesa draws in software. Under Wayland it must.
    "SDL_FRAMEBUFFER_ACCELERATION": "0",
}
_WITHOUT_DESKTOP = {
    "SDL_VIDEODRIVER": "kmsdrm",
    # What the Pi's GPU speaks. SDL would rather take desktop OpenGL, and without libGL the screen stays black.
    "SDL_FRAMEBUFFER_ACCELERATION": "opengles2",
}
