"""The device as a W3C Thing, at `/.well-known/wot`: what its clients read in place of the OpenAPI document."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from device.actions.base import Action
from device.actions.registry import ACTIONS
from smear import RESEARCH_USE_ONLY, __version__
from web.api import ROOT, action_path, schema_of


async def thing(request: Request) -> Response:
    """Return the Thing Description."""
    return JSONResponse(description(str(request.base_url)), media_type="application/td+json")


def description(base: str) -> dict[str, Any]:
    """Return the description of a device at `base`: looking is a property, changing something is an action.

    Source: Web of Things Thing Description 1.1, W3C Recommendation, 5 December 2023.
    """
    named = {each.name.replace(" ", "_"): each for each in ACTIONS.values()}
    listening = {"href": f"{ROOT}/events", "op": "subscribeevent", "subprotocol": "sse"}
    return {
        "@context": "https://www.w3.org/2022/wot/td/v1.1",
        "title": "Smearscope",
        "description": RESEARCH_USE_ONLY,
        "version": {"instance": __version__},
        "base": base,
        "securityDefinitions": {"token": {"scheme": "bearer", "in": "header"}},
        "security": "token",
        "properties": {name: _property(each) for name, each in named.items() if not each.changes},
        "actions": {name: _action(each) for name, each in named.items() if each.changes},
        "events": {"result": {"title": "The state of the device and its newest result", "forms": [listening]}},
    }


def _property(action: Action[Any]) -> dict[str, Any]:
    variables = schema_of(action.name)["properties"]
    form = {"href": action_path(action) + (f"{{?{','.join(variables)}}}" if variables else ""), "op": "readproperty"}
    return {"title": action.help, "type": "object", "readOnly": True, "uriVariables": variables, "forms": [form]}


def _action(action: Action[Any]) -> dict[str, Any]:
    form = {"href": action_path(action), "op": "invokeaction", "htv:methodName": "POST"}
    return {"title": action.help, "input": schema_of(action.name), "output": {"type": "object"}, "forms": [form]}
