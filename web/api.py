"""The API: every action under its name, pictures and reports by number, and the document that describes it."""

import json
from collections.abc import Sequence
from functools import cache, partial
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from device.actions.base import Action
from device.actions.registry import ACTIONS, action_called
from web.guard import Page, form_of, local_path
from web.site import person_of, site_of

ROOT = "/api/v1"
_NO_FIELDS = frozenset({"csrf_token", "next"})  # of a form, beside what the action is asked with


def action_path(action: Action[Any]) -> str:
    """Return where the API has an action."""
    return f"{ROOT}/{action.name.replace(' ', '/')}"


def action_pages() -> list[Page]:
    """Return the routes of all actions: GET what only looks, POST what changes something."""
    return [
        Page(action_path(each), partial(_answer, each), role=each.role, method="POST" if each.changes else "GET")
        for each in ACTIONS.values()
    ] + [
        Page(f"/do/{each.name.replace(' ', '/')}", partial(_submitted, each), role=each.role, method="POST")
        for each in ACTIONS.values()
        if each.changes
    ]  # fmt: skip


@cache
def schema_of(name: str) -> dict[str, Any]:
    """Return the JSON Schema of what an action is asked with."""
    return {**action_called(name).request.model_json_schema()}


def values_of(action: Action[Any], pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return texts, of an address or a form, as the JSON that `action` is asked with.

    Raises:
        HTTPException: something is given twice that there is one of.
        ActionError: something cannot be read as what it should be.
    """
    found: dict[str, Any] = {}
    for name, text in pairs:
        if "array" in json.dumps(schema_of(action.name)["properties"].get(name, {}), allow_nan=False):
            found.setdefault(name, []).append(text)
        elif name in found:
            raise HTTPException(400, f"{action.name}: something is given twice")
        else:
            found[name] = text
    request = action.parsed(found, strict=False)
    return dict(request.model_dump(mode="json", by_alias=True, exclude_unset=True))


async def asked(request: Request, name: str, pairs: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
    """Return what the action `name` answers to who asks for a page."""
    action = action_called(name)
    return await site_of(request).perform(action, person_of(request), values_of(action, pairs))


async def _answer(action: Action[Any], request: Request) -> Response:
    if not action.changes:
        values = values_of(action, request.query_params.multi_items())
    elif request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
        raise HTTPException(415, "send application/json")
    else:
        try:
            values = json.loads(await request.body())
        except (ValueError, RecursionError):
            raise HTTPException(400, "this is no JSON") from None
        if not isinstance(values, dict):
            raise HTTPException(400, "send a JSON object")
    return JSONResponse(await site_of(request).perform(action, person_of(request), values))


async def _submitted(action: Action[Any], request: Request) -> Response:
    """Do what a form asks for, and go on to the page that it names."""
    form = await form_of(request)
    values = values_of(action, [(name, text) for name, text in form if name not in _NO_FIELDS])
    await site_of(request).perform(action, person_of(request), values)
    return RedirectResponse(local_path(dict(form).get("next", "/")), 303)
