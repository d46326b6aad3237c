"""Screens by name: `window`, `kmsdrm`, `png:PATH`, `none`, `auto`."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from device.screen.display import Display
from smear.errors import DisplayError, SmearscopeError
from smear.images import write_image

SIZE = (800, 480)  # width, height; the Pi's 7 inch touch screen
DEFAULT_PNG = Path("screen.png")
DRI = Path("/dev/dri")
NAMES = ("window", "kmsdrm", "png:PATH", "none", "auto")
_PNG = "png:"


def open_display(name: str, *, size: tuple[int, int] = SIZE, png_path: Path = DEFAULT_PNG) -> Display:
    """Open the display called `name`.

    `auto` is a window under a desktop, else the whole screen, else the picture `png_path`. A screen without a
    desktop is always filled; `size` is that of the others.

    Raises:
        DisplayError: no such display, or it cannot be opened.
    """
    if name == "auto":
        name = choose_display(os.environ, DRI, png_path)
        if name.startswith(_PNG):
            return StandInDisplay(png_path, size)
    if name == "none":
        return NoDisplay(size)
    if name.startswith(_PNG):
        return PngDisplay(Path(name.removeprefix(_PNG) or png_path), size)
    if name in {"window", "kmsdrm"}:
        return PygameDisplay(name, size)
    raise DisplayError(f"{name!r} is no display; write one of: {', '.join(NAMES)}")


def choose_display(environment: "os._Environ[str] | dict[str, str]", dri: Path, png_path: Path) -> str:
    """Return the name of the display that `auto` means on this machine."""
    if environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"):
        return "window"
    return "kmsdrm" if any(dri.glob("card*")) else f"{_PNG}{png_path}"


class NoDisplay:
    """Shows nothing, and keeps the last screen for whoever asks."""

    def __init__(self, size: tuple[int, int] = SIZE) -> None:
        self.size = size
        self.last: np.ndarray | None = None

    def show(self, screen: np.ndarray) -> None:
        """Keep it."""
        self.last = screen

    def taps(self) -> list[tuple[int, int]]:
        """Nobody can tap it."""
        return []

    def close(self) -> None:
        """Nothing is held."""


class PngDisplay:
    """Keeps the newest screen in one picture file, replaced whole each time; a folder gets `screen.png`."""

    def __init__(self, path: Path, size: tuple[int, int] = SIZE) -> None:
        """Prepare the folder.

        Raises:
            DisplayError: the folder cannot be made, or the file's ending is no picture's.
        """
        self.size = size
        self.path = path / DEFAULT_PNG if path.is_dir() or not path.suffix else path
        if self.path.suffix.lower() not in {".png", ".jpg", ".jpeg"}:
            raise DisplayError(f"display png:{path}: the file must end in .png or .jpg")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DisplayError(
                f"display png:{path}: {error.strerror}; choose a folder that may be written to"
            ) from error

    def show(self, screen: np.ndarray) -> None:
        """Write it.

        Raises:
            DisplayError: the disk is full or read-only.
        """
        try:
            write_image(self.path, screen)
        except SmearscopeError as error:
            raise DisplayError(f"display png: {error}") from error

    def taps(self) -> list[tuple[int, int]]:
        """Nobody can tap it."""
        return []

    def close(self) -> None:
        """Nothing is held."""


class StandInDisplay(PngDisplay):
    """What `auto` uses until there is a screen: at boot its driver may be loaded after this was started."""

    def __init__(self, path: Path, size: tuple[int, int] = SIZE, dri: Path = DRI) -> None:
        super().__init__(path, size)
        self._dri = dri

    def show(self, screen: np.ndarray) -> None:
        """Write it.

        Raises:
            DisplayError: as of a picture; or a screen has come, and whoever opens `auto` again gets it.
        """
        if not choose_display(os.environ, self._dri, self.path).startswith(_PNG):
            raise DisplayError("display auto: a screen was attached; it is opened now")
        super().show(screen)


class PygameDisplay:
    """A window under a desktop (`window`), or the whole screen without one (`kmsdrm`)."""

    def __init__(self, name: str, size: tuple[int, int] = SIZE) -> None:
        """Open it.

        Raises:
            DisplayError: pygame-ce is missing, or SDL finds no screen.
        """
        self._pygame = _import_pygame()
        self._name = name
        whole = name == "kmsdrm"
        if whole:
            os.environ["SDL_VIDEODRIVER"] = "kmsdrm"
            # What the Pi's GPU speaks. SDL would rather take desktop OpenGL, and without libGL the screen stays black.
            os.environ.setdefault("SDL_FRAMEBUFFER_ACCELERATION", "opengles2")
        os.environ["SDL_TOUCH_MOUSE_EVENTS"] = "0"  # else SDL reports each touch a second time, as a click
        os.environ["SDL_NO_SIGNAL_HANDLERS"] = "1"  # else SDL swallows SIGTERM, by which systemd ends the service
        try:
            # Never pygame.init(): it takes the sound device too, and waits for it where there is none.
            self._pygame.display.init()
            flags = self._pygame.FULLSCREEN if whole else self._pygame.RESIZABLE
            self._surface = self._pygame.display.set_mode((0, 0) if whole else size, flags)
            self._pygame.display.set_caption("Smearscope")
            self._pygame.mouse.set_visible(not whole)
        except self._pygame.error as error:
            self._pygame.display.quit()
            raise DisplayError(f"display {name}: {error}; {_ADVICE[name]}") from error
        self.size: tuple[int, int] = self._surface.get_size() if whole else size

    def show(self, screen: np.ndarray) -> None:
        """Show it, stretched where the window was resized.

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
        except (self._pygame.error, AttributeError) as error:  # AttributeError: the surface is gone, None
            raise DisplayError(f"display {self._name} was lost ({error}); {_ADVICE[self._name]}") from error

    def taps(self) -> list[tuple[int, int]]:
        """Return the taps and clicks since the last call, in pixels of `size`."""
        found: list[tuple[int, int]] = []
        pygame = self._pygame
        if not pygame.display.get_init():
            raise DisplayError(f"display {self._name} is closed; open it again")
        for event in pygame.event.get():
            if event.type == pygame.QUIT or (event.type == pygame.KEYDOWN and event.key == pygame.K_ESCAPE):
                raise KeyboardInterrupt
            if event.type == pygame.FINGERDOWN:
                found.append(self._inside(event.x, event.y))
            elif event.type == pygame.MOUSEBUTTONDOWN and event.button == pygame.BUTTON_LEFT:
                width, height = pygame.display.get_window_size()
                found.append(self._inside(event.pos[0] / width, event.pos[1] / height))
        return found

    def close(self) -> None:
        """Give the screen back; safe to call twice."""
        self._pygame.display.quit()

    def _inside(self, across: float, down: float) -> tuple[int, int]:
        """Return the pixel at these shares of the width and height; SDL does not promise 0 to 1."""
        width, height = self.size
        return min(width - 1, max(0, int(across * width))), min(height - 1, max(0, int(down * height)))


_ADVICE = {
    "window": "start it from the desktop, or use --display kmsdrm or png:screen.png",
    "kmsdrm": "connect a screen, end any desktop, and put this user into the groups video, render and input",
}


def _import_pygame() -> Any:
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    try:
        import pygame
    except ImportError as error:
        raise DisplayError(
            f"Python cannot import pygame ({error}); pip install 'smearscope[screen]', or use --display png:screen.png"
        ) from error
    return pygame
