"""The actions of the screen's pages: those that need the screen's own session, before those that every client has."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from device.actions.base import MAX_ITEMS
from device.control.server import Answer
from device.exports.base import FileFormat, device_id
from device.exports.registry import EXPORTS, export_slide
from device.reporting.tables import local_time
from device.screen.navigation.picture_actions import PictureActions
from device.screen.navigation.screen_lock import ScreenLock
from device.screen.navigation.upkeep_actions import UpkeepActions
from device.screen.patient_display import PatientDisplay
from device.settings import Settings
from device.store import Store
from device.store.names import checked_operator
from device.store.recorder import Recorder
from device.store.retention import MEGABYTE
from device.system.power import can_power_off, power_off
from device.system.removable_drives import removable_drives
from smear.errors import SmearscopeError
from smear.output_files import OutputFolder


class OwnActions:
    """Performs an action by its name; remembers who is at work and what was said of the last slide."""

    def __init__(
        self,
        answers: Mapping[str, Answer],
        recorder: Recorder,
        settings: Settings,
        data: Path,
        operator: str = "",
        display: PatientDisplay | None = None,
    ) -> None:
        """`answers` are those of the control socket; `operator` is at work until the screen is told of another."""
        self._answers = answers
        self._recorder = recorder
        self._settings = settings
        self._data = data
        self._said = {"operator": operator, "specimen": ""}
        self._own: dict[str, Callable[[Mapping[str, Any]], Any]] = {
            "slide details": lambda _: self._said,
            "operator is": self._operator_is,
            **PictureActions(settings, data).answers(),
            **UpkeepActions(answers, settings, data, display).answers(),
            **ScreenLock(data).answers(),
            "slide start": self._start,
            "slide resume": lambda request: self._recorder.reopen_slide(request["slide"]),
            "slide summary": self._summary,
            "field keep": self._keep,
            "slides with pictures": self._with_pictures,
            "power check": lambda _: {"can": can_power_off()},
            "power off": lambda _: power_off(),
            "usb drives": self._drives,
            "usb export": self._export,
        }

    def __call__(self, action: str, request: Mapping[str, Any]) -> Any:
        """Return the answer of `action`.

        Raises:
            SmearscopeError: there is no such action, or it could not be done.
        """
        answer = self._own.get(action) or self._answers.get(action)
        if answer is None:
            raise SmearscopeError(f"there is no action {action!r}; please report this")
        return answer({"operator": self._said["operator"], **request})

    def _operator_is(self, request: Mapping[str, Any]) -> None:
        self._said["operator"] = checked_operator(request["operator"])

    def _start(self, request: Mapping[str, Any]) -> Any:
        started = self._answers["slide start"](request)
        self._said = {each: request[each].strip() for each in self._said}
        return started

    def _summary(self, request: Mapping[str, Any]) -> dict[str, Any]:
        slide = self._answers["slides show"]({"slide": str(request["slide"]), "limit": 1})
        after, waiting = slide["fields"][0]["id"] - 1 if slide["fields"] else 0, 0
        while found := self._answers["fields waiting"]({"after": after, "limit": MAX_ITEMS})["fields"]:
            waiting += sum(field["slide_id"] == slide["id"] for field in found)
            after = found[-1]["id"]
        return {**slide, "waiting": waiting}

    def _with_pictures(self, request: Mapping[str, Any]) -> dict[str, Any]:
        slides = self._answers["slides list"](request)["slides"]
        with Store.read(self._data, self._settings.store.busy_timeout_s) as store:
            for slide in slides:
                slide["when"] = local_time(slide["started_s"])[:16]
                slide["picture"] = _thumbnail(store, slide["id"])
        return {"slides": slides}

    def _keep(self, request: Mapping[str, Any]) -> Any:
        slide = self._recorder.store.field(request["field"]).slide_id
        return self._answers["slides keep"]({**request, "slide": str(slide)})

    def _drives(self, request: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {"drives": _drives(), "formats": _formats()}
        if "slide" in request:
            with Store.read(self._data, self._settings.store.busy_timeout_s) as store:
                files = [self._data / name for name in store.photographs.names(request["slide"])]
            found["megabytes"] = sum(each.stat().st_size for each in files if each.exists()) / MEGABYTE
        return found

    def _export(self, request: Mapping[str, Any]) -> dict[str, Any]:
        slide, kind = request["slide"], EXPORTS.find(request["format"])
        assert isinstance(kind, FileFormat)
        with (
            Store.read(self._data, self._settings.store.busy_timeout_s) as store,
            OutputFolder(Path(request["folder"])) as folder,
            # With the device: slide 3 of another one may be on the same stick.
            folder.writing(name := f"{device_id(store)}-{kind.file_name(slide)}") as file,
        ):
            export_slide(store, slide, kind.name, file, self._settings)
        return {"file": name}


def _thumbnail(store: Store, slide: int) -> NDArray[np.uint8] | None:
    """Return a small photograph of the slide, RGB; None where none is left or it cannot be read."""
    for field in store.latest_fields(slide, 1):
        data = store.photographs.read(field.image)
        found = None if data is None else cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_REDUCED_COLOR_8)
        if found is not None:
            return np.ascontiguousarray(found[..., ::-1])
    return None


def _drives() -> list[dict[str, str]]:
    return [
        {"path": str(each.path), "label": f"{each.label} ({each.free_bytes / 1e9:.1f} GB free)"}
        for each in removable_drives()
    ]


def _formats() -> list[tuple[str, str]]:
    return [(each.name, each.help) for each in EXPORTS.all() if isinstance(each, FileFormat)]
