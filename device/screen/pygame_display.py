"""The displays `window` and `kmsdrm`: a window on a desktop, or the whole screen without one, through pygame-ce."""

import ctypes
from pathlib import Path
from typing import Any

import numpy as np

from device.screen.arrangement import workable
from device.screen.display import DEFAULT_SIZE, DisplayKind
from device.screen.navigation.inputs import Input, Key, Tap, Text
from smear.errors import DisplayError

DRM = Path("/sys/class/drm")
_EDID_BYTES, _EDID_WIDTH_CM = 128, 21  # VESA E-EDID 1.4, section 3.6: the screen's width is byte 15h


class PygameDisplay:
    """One screen of SDL, which `device.system.process` has configured."""

    fluid = True

    def __init__(self, kind: DisplayKind, size: tuple[int, int] | None = DEFAULT_SIZE) -> None:
        """Open a window of `size`, or the whole screen where `size` is None.

        Raises:
            DisplayError: pygame-ce is missing, or SDL finds no screen.
        """
        self._pygame = _import_pygame()
        self._name = kind.name
        try:
            # Never pygame.init(): it takes the sound device too, and waits for it where there is none.
            self._pygame.display.init()
            driver = self._pygame.display.get_driver().lower()
            if size is None and not driver.startswith(KMSDRM.name):  # else it would cover the desktop instead
                raise self._pygame.error(f"SDL uses its driver {driver}")
            self._window_size = size  # None: it is the whole screen
            if size is not None and driver == "x11" and not _has_window_manager():
                self._pygame.display.set_mode(self._pygame.display.get_desktop_sizes()[0], self._pygame.NOFRAME)
            else:
                self._open(size)
            self._pygame.mouse.set_visible(size is not None)
            self._pygame.key.start_text_input()
        except self._pygame.error as error:
            self._pygame.display.quit()
            raise DisplayError(f"display {self._name}: {error}; {_ADVICE[self._name]}") from error
        self.dots_per_inch = dots_per_inch(self.size[0]) if size is None else None  # a window is as large as one likes

    @property
    def size(self) -> tuple[int, int]:
        """Width and height to compose for: those of the window, or larger ones of its shape where it is tiny."""
        surface = self._pygame.display.get_surface() if self._pygame.display.get_init() else None
        return workable(surface.get_size() if surface is not None else DEFAULT_SIZE)

    def _open(self, size: tuple[int, int] | None) -> None:
        flags = self._pygame.FULLSCREEN if size is None else self._pygame.RESIZABLE
        self._pygame.display.set_mode(size or (0, 0), flags)
        self._pygame.display.set_caption("Smearscope")

    def _toggle_full_screen(self) -> None:
        display = self._pygame.display
        if self._window_size is None or display.get_surface().get_flags() & self._pygame.NOFRAME:
            return
        full = display.get_surface().get_flags() & self._pygame.FULLSCREEN
        if not full:
            self._window_size = display.get_surface().get_size()  # to come back to
        display.quit()  # without OpenGL SDL would leave a window that was full screen as large as that
        display.init()
        self._open(self._window_size if full else None)

    def show(self, screen: np.ndarray) -> None:
        """Show the screen, scaled to the window where that was resized.

        Raises:
            DisplayError: the screen was lost.
        """
        try:
            picture = self._pygame.image.frombuffer(np.ascontiguousarray(screen), screen.shape[1::-1], "RGB")
            surface = self._pygame.display.get_surface()
            if surface.get_size() != picture.get_size():
                picture = self._pygame.transform.smoothscale(picture, surface.get_size())
            surface.blit(picture, (0, 0))
            self._pygame.display.flip()
        except (self._pygame.error, AttributeError) as error:  # AttributeError: there is no surface any more
            raise DisplayError(f"display {self._name} was lost ({error}); {_ADVICE[self._name]}") from error

    def inputs(self) -> list[Input]:
        """Return what was touched, pressed and typed since the last call; taps in pixels of `size`."""
        found: list[Input] = []
        pygame = self._pygame
        if not pygame.display.get_init():
            raise DisplayError(f"display {self._name} is closed; open it again")
        for event in pygame.event.get():
            if event.type == pygame.QUIT:
                raise KeyboardInterrupt
            if event.type == pygame.TEXTINPUT:
                found.append(Text(event.text))
            elif event.type == pygame.KEYDOWN and (key := self._pressed(event)):
                found.append(key)
            elif event.type == pygame.FINGERDOWN:
                found.append(self._pixel_at(event.x, event.y))
            elif event.type == pygame.MOUSEBUTTONDOWN and event.button == pygame.BUTTON_LEFT:
                if getattr(event, "touch", False):
                    continue  # SDL's second report of a FINGERDOWN, where SDL_TOUCH_MOUSE_EVENTS asks for it
                width, height = pygame.display.get_window_size()
                found.append(self._pixel_at(event.pos[0] / width, event.pos[1] / height))
        return found

    def close(self) -> None:
        """Release the screen; safe to call twice."""
        self._pygame.display.quit()

    def _pressed(self, event: Any) -> Key | None:
        """Return the key of a KEYDOWN; None for those that the window takes itself, or that type characters."""
        pygame = self._pygame
        if event.key == pygame.K_q and event.mod & pygame.KMOD_CTRL:
            raise KeyboardInterrupt
        if event.key == pygame.K_F11:
            self._toggle_full_screen()
            return None
        name = pygame.key.name(event.key)
        if (event.unicode.isprintable() and event.unicode) or name.endswith((" shift", " ctrl", " alt", " meta")):
            return None
        shifted = name == "tab" and event.mod & pygame.KMOD_SHIFT
        return Key("shift tab" if shifted else {"enter": "return"}.get(name, name))

    def _pixel_at(self, across: float, down: float) -> Tap:
        """Return the pixel at these fractions of width and height, which SDL does not guarantee to lie in 0 to 1."""
        width, height = self.size
        return Tap(min(width - 1, max(0, int(across * width))), min(height - 1, max(0, int(down * height))))


def dots_per_inch(width_px: int, drm: Path = DRM) -> float | None:
    """Return how fine the attached screen is, from what it says of its width; None where it does not."""
    for file in sorted(drm.glob("card*-*/edid")):
        edid = file.read_bytes()
        if len(edid) >= _EDID_BYTES and edid[_EDID_WIDTH_CM]:
            return width_px / (edid[_EDID_WIDTH_CM] / 2.54)
    return None


def _has_window_manager() -> bool:
    """Tell whether the X server has a window manager, which announces itself on the root window (EWMH 1.5)."""
    x11 = ctypes.CDLL("libX11.so.6")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XDefaultRootWindow.restype = x11.XInternAtom.restype = ctypes.c_ulong
    x11.XListProperties.restype = ctypes.POINTER(ctypes.c_ulong)
    server, count = ctypes.c_void_p(x11.XOpenDisplay(None)), ctypes.c_int()
    root = ctypes.c_ulong(x11.XDefaultRootWindow(server))
    atoms = x11.XListProperties(server, root, ctypes.byref(count))
    wanted = x11.XInternAtom(server, b"_NET_SUPPORTING_WM_CHECK", 0)
    found = wanted in atoms[: count.value]
    x11.XFree(atoms)
    x11.XCloseDisplay(server)
    return found


_ADVICE = {
    "window": "start it from the desktop, or use --display kmsdrm or png:screen.png",
    "kmsdrm": "connect a screen, end any desktop, and put this user into the groups video, render and input",
}


def _import_pygame() -> Any:
    try:
        import pygame
    except ImportError as error:
        raise DisplayError(
            f"Python cannot import pygame ({error}); pip install 'smearscope[screen]', or use --display png:screen.png"
        ) from error
    return pygame


WINDOW: DisplayKind = DisplayKind(
    name="window",
    help="a window on the desktop; F11: full screen",
    open=lambda request: PygameDisplay(WINDOW, request.size),
    module="pygame",
    extra="screen",
)
KMSDRM: DisplayKind = DisplayKind(
    name="kmsdrm",
    help="the whole screen of a machine without a desktop",
    open=lambda request: PygameDisplay(KMSDRM, None),
    module="pygame",
    extra="screen",
)
