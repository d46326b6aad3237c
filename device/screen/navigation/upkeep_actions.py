"""The actions of pages that look after the device, beside those that every client has."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from device.actions import qc
from device.actions.base import Context
from device.bundles import shipped_bundle
from device.cameras.calibration import NONE, ProfileStore
from device.cameras.calibration.procedures import summary
from device.control.server import Answer
from device.model_pick import AUTO
from device.quality_control.measurements import QcMeasurement, QcTest, last_of_each
from device.reporting.tables import local_time
from device.screen.choices import Choices, fixed
from device.screen.drawing.themes import THEMES
from device.screen.navigation.screen_lock import is_set, lock_after_s, set_pin
from device.screen.patient_display import PatientDisplay
from device.settings import Settings
from device.store import Store
from device.system.backlight import brightness, set_brightness

_SLIDES = 20  # that can be chosen for a test


class UpkeepActions:
    """Answers from the running session, by the actions that it has already."""

    def __init__(
        self, answers: Mapping[str, Answer], settings: Settings, data: Path, display: PatientDisplay | None
    ) -> None:
        """`answers` are those of the control socket; `display` is what its settings are of."""
        self._session = answers
        self._settings = settings
        self._data = data
        self._display = display

    def answers(self) -> dict[str, Answer]:
        """Return every action with who answers it."""
        return {
            "calibration in use": self._calibration,
            "objectives": self._objectives,
            "qc of the day": self._quality_control,
            "screen settings": self._screen,
            "screen choose": self._choose,
            "web shown": lambda _: dict(self._display.mirror.web) if self._display else {},
            "models": self._models,
        }

    def _calibration(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return what corrects the camera's frames now; every part is missing where nothing does."""
        used = self._session["calibrate"]({"kind": "use"})
        return summary(ProfileStore(self._data).named(used["in use"]) if used["in use"] else NONE) | used

    def _objectives(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the objective in use, and after it those that have a calibration."""
        profiles = ProfileStore(self._data)
        used = profiles.objective()
        others = {each.objective for each in profiles.read()[0]} - {used}
        return {"in use": used, "names": [used, *sorted(others)]}

    def _quality_control(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is asked for, what was measured since the quality control in force began, and the last slides."""
        with Store.read(self._data, self._settings.store.busy_timeout_s) as store:
            context = Context(store, self._settings)
            state, slides = qc.state(context), store.slides(_SLIDES)
            simulated = bool(slides) and slides[0].simulated
            run = store.qc_runs(1)[0] if qc.run_in_force(context) else None
            counted = [each for each in run.latest() if simulated or not each.simulated] if run is not None else []
            return {
                "required": self._settings.qc.required,
                "cleared": state.cleared,
                "begun": local_time(run.at.wall_s)[:16] if run is not None else "",
                "operator": run.operator if run is not None else "",
                "tests": [_test(test, counted, last_of_each(store.qc())) for test in self._settings.qc.tests],
                "slides": [{"id": each.id, "name": each.name, "fields": each.tally.total} for each in slides],
            }

    def _screen(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return how the screen is, and what the settings file fixes."""
        assert self._display is not None
        share = brightness()
        return {
            "theme": next(name for name, each in THEMES.items() if each == self._display.theme),
            "fixed": sorted(fixed(self._settings.display)),
            "language": self._display.language,
            "pin": is_set(self._data),
            "lock_after_min": Choices.read(self._data).lock_after_min,
            "brightness": share if share is None else round(share, 1),
        }

    def _choose(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Do and keep what is chosen, a "pin" as well."""
        assert self._display is not None
        if "pin" in request:
            set_pin(self._data, request["pin"])
        choice = {name: request[name] for name in Choices.model_fields if name in request}
        if "brightness" in choice:
            set_brightness(choice["brightness"])
        kept = Choices.read(self._data).model_copy(update=choice)
        kept.write(self._data)
        if "theme" in choice:
            self._display.theme = THEMES[kept.theme]
        if "language" in choice:
            self._display.language = kept.language
        self._display.lock_after_s = lock_after_s(self._data)
        return self._screen(request)

    def _models(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return level and bundle of the models, and which others can be chosen."""
        listed = self._session["model list"]({})
        level = next(each for each in self._session["settings show"]({})["settings"] if each["name"] == "model.level")
        used = next((each for each in listed["bundles"] if each["current"] and not listed["chosen"]), None)
        return {
            "level": level["value"],
            "levels": [each for each in level["choices"] if used is None or each in {AUTO, *used["levels"]}],
            "bundle": used["name"] if used is not None else listed["chosen"] or shipped_bundle().name,
            "bundles": listed["bundles"],
            "fixed": {"level": level["fixed"], "bundle": listed["fixed"]},
        }


def _test(test: QcTest, counted: Sequence[QcMeasurement], last: Sequence[QcMeasurement]) -> dict[str, Any]:
    """Return how a test stands by what `counted` for it; a reason is asked for where one of the `last` has failed."""
    mine = [each for each in counted if each.test is test]
    failed = [each.title for each in mine if not each.passed]
    return {
        "name": test,
        "count": len(mine),
        "passed": bool(mine) and not failed,
        "failed": failed,
        "excuse": any(each.test is test and not each.passed for each in last),
    }
