"""The kinds of displays, and opening one by name: `window`, `kmsdrm`, `png:PATH`, `none`, `auto`."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from device.screen import no_display, png_display
from device.screen.display import DEFAULT_PNG, DEFAULT_SIZE, Display, DisplayKind, DisplayRequest
from device.screen.png_display import PngDisplay
from device.screen.pygame_display import KMSDRM, WINDOW
from device.system.process import has_desktop
from smear.errors import DisplayError
from smear.registry import Registry

DRI = Path("/dev/dri")
PNG = png_display.KIND


def open_display(name: str, *, size: tuple[int, int] = DEFAULT_SIZE, png_path: Path = DEFAULT_PNG) -> Display:
    """Open the display called `name`.

    `size` is that of a window or picture; without a desktop the whole screen is used. `png_path` is for `auto` where
    there is no screen, and for `png:` without a path.

    Raises:
        DisplayError: there is no such display, or it cannot be opened.
    """
    return display_kind(name).open(DisplayRequest(name.partition(":")[2], size, png_path))


def display_kind(name: str) -> DisplayKind:
    """Return the kind of the display called `name`, which need not be attached.

    Raises:
        DisplayError: there is no such kind, or its name does not go on after a colon.
    """
    kind_name, colon, target = name.partition(":")
    kind = DISPLAYS.find(kind_name)
    if colon and not kind.takes_target:
        raise DisplayError(f"display {name!r}: nothing may follow {kind_name!r}; leave out {colon + target!r}")
    return kind


def choose_display(environment: Mapping[str, str], dri: Path = DRI) -> DisplayKind:
    """Return what `auto` means on this machine: a window on a desktop, else the whole screen, else a picture file."""
    if has_desktop(environment):
        return WINDOW
    return KMSDRM if any(dri.glob("card*")) else PNG


class StandInDisplay(PngDisplay):
    """What `auto` uses until there is a screen: at boot its driver may be loaded after this process has started."""

    def __init__(self, path: Path, size: tuple[int, int] = DEFAULT_SIZE, dri: Path = DRI) -> None:
        super().__init__(path, size)
        self._dri = dri

    def show(self, screen: np.ndarray) -> None:
        """Write the screen.

        Raises:
            DisplayError: as `PngDisplay`; or a screen was attached, which opening `auto` again will use.
        """
        if choose_display(os.environ, self._dri) is not PNG:
            raise DisplayError("display auto: a screen was attached; it is opened now")
        super().show(screen)


def _open_auto(request: DisplayRequest) -> Display:
    kind = choose_display(os.environ)
    return StandInDisplay(request.png_path, request.size) if kind is PNG else kind.open(request)


AUTO = DisplayKind(
    name="auto", help="a window on a desktop, else the whole screen, else a picture file", open=_open_auto
)
DISPLAYS = Registry(
    "smearscope.displays",
    DisplayKind,
    (AUTO, WINDOW, KMSDRM, PNG, no_display.KIND),
    what="display",
    error=DisplayError,
)
