"""The actions of the screen's pages: those that need the running session, before those that every client has."""

from collections.abc import Callable, Mapping
from typing import Any

from device.store.recorder import Recorder
from device.store.records import SlideDetails
from smear.errors import SmearscopeError, StoreError


class OwnActions:
    """Performs an action by its name; remembers who is at work and what was said of the last slide."""

    def __init__(self, recorder: Recorder, operator: str = "") -> None:
        self._recorder = recorder
        self._details = SlideDetails(operator=operator)
        self._own: dict[str, Callable[[Mapping[str, Any]], Any]] = {
            "slide details": lambda _: {"operator": self._details.operator, "specimen": self._details.specimen},
            "slide start": self._start,
            "slide end": lambda _: self._end(),
            "slide resume": lambda request: self._recorder.reopen_slide(request["slide"]),
            "field keep": lambda _: self._keep(),
        }

    def __call__(self, action: str, request: Mapping[str, Any]) -> Any:
        """Return the answer of `action`.

        Raises:
            SmearscopeError: there is no such action, or it could not be done.
        """
        if action not in self._own:
            raise SmearscopeError(f"there is no action {action!r}; please report this")
        return self._own[action](request)

    def _start(self, request: Mapping[str, Any]) -> dict[str, Any]:
        details = SlideDetails(operator=request["operator"], specimen=request["specimen"]).checked()
        slide = self._recorder.start_slide(request["name"], details)
        self._details = details
        return {"slide": slide}

    def _end(self) -> dict[str, Any]:
        ended = self._recorder.end_slide()
        if ended is None:
            raise StoreError("no slide is open; start one first")
        return {"slide": ended}

    def _keep(self) -> dict[str, Any]:
        kept = self._recorder.keep_latest()
        if kept is None:
            raise StoreError("no field is recorded yet; start a slide, and wait for a field")
        return {"field": kept}
