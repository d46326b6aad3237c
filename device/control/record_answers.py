"""Answering over the control socket what people do with records, beside what needs the camera."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from device.actions.base import Action, ActionError, Context
from device.actions.registry import ACTIONS
from device.control.server import Answer
from device.settings import Settings
from device.store import Store

ENVELOPE = frozenset({"command", "operator"})  # of a request line; the rest is what the action is asked with


def record_answers(data: Path, settings: Settings, config: Path | None = None) -> dict[str, Answer]:
    """Return by name what answers each action that works on the records in `data`.

    Each request opens the store for itself, as a command does, so that none holds the session's own connection.
    """
    busy_timeout_s = settings.store.busy_timeout_s
    return {
        name: partial(_answer, action, lambda: Store.read(data, busy_timeout_s), settings, config)
        for name, action in ACTIONS.items()
        if action.answer is not None
    }


def _answer(
    action: Action[Any],
    open_store: Callable[[], Store],
    settings: Settings,
    config: Path | None,
    request: Mapping[str, Any],
) -> dict[str, Any]:
    operator = request.get("operator", "")
    if not isinstance(operator, str):
        raise ActionError("the operator is a text; give the name of who does this")
    values = {name: value for name, value in request.items() if name not in ENVELOPE}
    with open_store() as store:
        return action.perform(Context(store, settings, operator, config), values)
