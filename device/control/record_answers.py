"""Answering over the control socket what people do with records, beside what needs the camera."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from device.actions.base import Action, ActionError, Context
from device.actions.registry import ACTIONS
from device.control.server import Answer
from device.settings import Settings
from device.settings_changes import replaced
from device.store import Store

ENVELOPE = frozenset({"command", "operator"})  # of a request line; the rest is what the action is asked with


def record_answers(
    data: Path, settings: Settings, config: Path | None = None, given: Mapping[str, object] = MappingProxyType({})
) -> dict[str, Answer]:
    """Return by name what answers each action that works on the records in `data`.

    `given` is what the command line says in place of `settings`, by SECTION.KEY.
    Each request opens the store for itself, as a command does, so that none holds the session's own connection.
    """
    in_force = replaced(settings, given)

    def answer(action: Action[Any], request: Mapping[str, Any]) -> dict[str, Any]:
        operator = request.get("operator", "")
        if not isinstance(operator, str):
            raise ActionError("the operator is a text; give the name of who does this")
        values = {name: value for name, value in request.items() if name not in ENVELOPE}
        with Store.read(data, settings.store.busy_timeout_s) as store:
            return action.perform(Context(store, in_force, operator, config, given.keys()), values)

    return {name: partial(answer, action) for name, action in ACTIONS.items() if action.answer is not None}
