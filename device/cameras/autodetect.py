"""`auto`: the first attached camera that opens. Never a simulated one: a person must ask for that."""

from collections.abc import Callable, Iterable

from device.cameras.base import Camera
from smear.errors import CameraError


def open_first(candidates: Iterable[str], open_named: Callable[[str], Camera]) -> Camera:
    """Open the first of `candidates`, names of cameras, that can be opened.

    Raises:
        CameraError: none can; the message says what was tried and why it failed.
    """
    failures: list[str] = []
    for name in candidates:
        try:
            return open_named(name)
        except CameraError as error:
            failures.append(str(error))
    if len(failures) < 2:
        failures.append("no USB camera among /dev/video*")
    raise CameraError(
        f"no camera found: {'; '.join(failures)}. Connect one, or name one with --camera "
        "(--camera simulated: for the simulated microscope)"
    )
