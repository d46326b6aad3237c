"""The device itself: its health, its log, its models, its settings; and help."""

import json
from typing import Any, get_args

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from device.actions.base import Role
from device.actions.device import Level
from device.actions.registry import ACTIONS, action_called
from device.actions.settings import MEANWHILE
from device.control.protocol import ControlError
from device.store.retention import MEGABYTE, free_bytes_of
from device.system.health import read_health, throttle_words
from smear.errors import SmearscopeError
from web.api import asked
from web.guard import form_of
from web.rendering import page
from web.site import person_of, site_of

_EVENTS = 50  # of the device that are listed


async def health(request: Request) -> Response:
    """Show how the running device and its board are."""
    site = site_of(request)
    try:
        session, fault = await asked(request, "status"), ""
    except ControlError as error:
        session, fault = {}, str(error)
    board = read_health()
    facts = {
        "free disk": f"{free_bytes_of(site.data) / MEGABYTE:.0f} MB; {site.settings.store.min_free_mb} MB stay free",
        "temperature": "no sensor" if board.temperature_c is None else f"{board.temperature_c:.0f} °C",
        "power": ", ".join(throttle_words(board.throttled or 0)) or "nothing slows the board down",
    }
    return page(request, "health.html", session=session, fault=fault, board=facts)


async def model(request: Request) -> Response:
    """Show the bundles that are installed, compared with their checksums now; for `?verify` the one in use is run."""
    found, verified, fault = await asked(request, "model list"), None, ""
    if "verify" in request.query_params and person_of(request).role is Role.ADMIN:
        try:
            verified = await asked(request, "model verify")
        except SmearscopeError as error:
            fault = str(error)
    return page(request, "model.html", models=found, verified=verified, fault=fault)


async def logs(request: Request) -> Response:
    """Show what the device said, and what was changed on it."""
    found = await asked(request, "logs show", request.query_params.multi_items())
    events = await site_of(request).read(lambda store: store.newest_of_device(_EVENTS))
    level = request.query_params.get("level", "info")
    return page(request, "logs.html", lines=found["lines"], levels=get_args(Level), level=level, events=events)


async def settings(request: Request) -> Response:
    """Show every setting; to an admin as a form."""
    return await _settings(request, {}, {})


async def change_settings(request: Request) -> Response:
    """Change what the form has changed, or show each fault beside its setting, with what was written."""
    form, before = dict(await form_of(request)), (await _rows(request))[1]
    if "before" in form:  # what the form was made of: somebody else may have changed it since
        before = {name: _object(form["before"]).get(name) for name in before}
    form = {name: form[name] for name, old in before.items() if form.get(name, _text(old)) != _text(old)}
    values = {"values": {name: _value(text) for name, text in form.items()}, "before": {n: before[n] for n in form}}
    found = await site_of(request).perform(action_called("settings change"), person_of(request), values)
    return await _settings(request, form, found["faults"]) if found["faults"] else RedirectResponse("/settings", 303)


async def _rows(request: Request) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return every setting, and by its name what it was changed to."""
    rows = (await asked(request, "settings show"))["settings"]
    return rows, {each["name"]: each["changed"] for each in rows}


def _object(text: str) -> dict[str, Any]:
    found = _value(text)
    return found if isinstance(found, dict) else {}


async def _settings(request: Request, form: dict[str, str], faults: dict[str, str]) -> Response:
    rows, changed = await _rows(request)
    before = json.dumps({name: value for name, value in changed.items() if value is not None}, allow_nan=False)
    status = 409 if any(each.startswith(MEANWHILE) for each in faults.values()) else 400 if faults else 200
    return page(request, "settings.html", status, rows=rows, text=_text, form=form, faults=faults, before=before)


def _text(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _value(text: str) -> object:
    """Return what was written: a number, true, false or a list; else a text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


async def help_(request: Request) -> Response:
    """Show the keys, and who may do what."""
    classes = (await asked(request, "cells classes"))["classes"]
    actions = [(each.help, each.role) for each in ACTIONS.values() if each.changes]
    return page(request, "help.html", classes=classes, actions=actions)
