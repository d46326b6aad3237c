"""The display `png:PATH`: a picture file with the newest screen."""

from pathlib import Path

import numpy as np

from device.screen.display import DEFAULT_PNG, DEFAULT_SIZE, DisplayKind, DisplayRequest
from device.screen.navigation.inputs import Input
from device.user_paths import expand_given
from smear.errors import DisplayError, SmearscopeError
from smear.images import write_image

_MODE = 0o640  # it shows a field: the owner writes, the service's group reads, others see nothing


class PngDisplay:
    """Keeps the newest screen in one picture file, replaced atomically; in a folder the file is `screen.png`."""

    def __init__(self, path: Path, size: tuple[int, int] = DEFAULT_SIZE) -> None:
        """Create the folder.

        Raises:
            DisplayError: the folder cannot be created, or the file's suffix is not one of a picture.
        """
        self.size = size
        self.path = path / DEFAULT_PNG if path.is_dir() or not path.suffix else path
        if self.path.suffix.lower() not in {".png", ".jpg", ".jpeg"}:
            raise DisplayError(f"display png:{path}: the file must end in .png or .jpg")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DisplayError(f"display png:{path}: {error.strerror}; choose a writable folder") from error

    def show(self, screen: np.ndarray) -> None:
        """Write the screen.

        Raises:
            DisplayError: the disk is full or read-only.
        """
        try:
            write_image(self.path, screen, mode=_MODE)
        except SmearscopeError as error:
            raise DisplayError(f"display png: {error}") from error

    def inputs(self) -> list[Input]:
        """Return nothing: a file cannot be touched."""
        return []

    def close(self) -> None:
        """Do nothing: no hardware is held."""


def _open(request: DisplayRequest) -> PngDisplay:
    path = expand_given(Path(request.target), "--display") if request.target else request.png_path
    return PngDisplay(path, request.size)


KIND = DisplayKind(
    name="png",
    help="a picture file with the newest screen, for a machine without one",
    usage="png:PATH",
    open=_open,
    takes_target=True,
)
