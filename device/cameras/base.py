"""What a camera is to the rest of the device."""

from typing import Protocol

from smear.findings import Frame


class Camera(Protocol):
    """A source of fields, opened by name with `device.cameras.open_camera`."""

    name: str  # as shown on the screen and stored in records
    simulated: bool  # True: the screen and every record say so

    def read(self, timeout_s: float) -> Frame:
        """Return the newest frame.

        Raises:
            CameraError: lost, or no frame within `timeout_s`.
            EndOfFramesError: a finite source is at its end.
            ImageError: one picture of a finite source cannot be read; the next call goes on with the next one.
        """
        ...

    def close(self) -> None:
        """Give the hardware back; safe to call twice."""
        ...
