"""The actions of pages that look after the device, beside those that every client has."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from device.cameras.calibration import NONE, ProfileStore
from device.cameras.calibration.procedures import summary
from device.control.server import Answer


class UpkeepActions:
    """Answers from the running session, by the actions that it has already."""

    def __init__(self, answers: Mapping[str, Answer], data: Path) -> None:
        """`answers` are those of the control socket."""
        self._session = answers
        self._data = data

    def answers(self) -> dict[str, Answer]:
        """Return every action with who answers it."""
        return {"calibration in use": self._calibration}

    def _calibration(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return what corrects the camera's frames now; every part is missing where nothing does."""
        used = self._session["calibrate"]({"kind": "use"})
        return summary(ProfileStore(self._data).named(used["in use"]) if used["in use"] else NONE) | used
