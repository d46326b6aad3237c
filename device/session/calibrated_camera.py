"""The camera of a session, always opened with the calibration profile that belongs to it."""

from collections.abc import Callable

from device.cameras.base import Camera
from device.cameras.calibration import ProfileStore
from device.cameras.calibration.selection import Say, open_calibrated
from device.cameras.registry import ControlsOf
from device.session.inference_worker import ProcessorSlot
from device.system.clock import Clock


class CalibratedCamera:
    """Opens the camera, as often as it is lost, and gives the processors what corrects its frames."""

    def __init__(
        self,
        open_source: Callable[[ControlsOf], Camera],
        profiles: ProfileStore,
        processors: ProcessorSlot,
        clock: Clock,
        say: Say,
    ) -> None:
        """`say` is given what a person should know of the camera and its calibration, the same only once."""
        self._open_source = open_source
        self._profiles = profiles
        self._processors = processors
        self._clock = clock
        self._say = say
        self._said: set[str] = set()

    def open(self) -> Camera:
        """Open the camera with the profile of the objective that is in use.

        Raises:
            CameraError: it cannot be opened.
        """
        objective = self._processors.corrector.objective
        camera, self._processors.corrector = open_calibrated(
            self._open_source, self._profiles, objective, self._clock.wall_s(), self._say_once
        )
        return camera

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._say(text)
