"""The OpenAPI document, generated from the actions."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from device.actions.base import Action
from device.actions.registry import ACTIONS
from smear import RESEARCH_USE_ONLY, __version__
from web.api import ROOT, action_path, schema_of

_ERRORS = {
    "400": "the request cannot be taken", "401": "no session and no token", "403": "not with this role",
    "404": "there is no such thing", "409": "the records or the device refuse", "413": "too long", "415": "no JSON",
}  # fmt: skip
_ERROR = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
_NUMBERED = {  # by path: what it returns, and as what
    f"{ROOT}/fields/{{field}}/photograph": ("The photograph of a field", "image/jpeg"),
    f"{ROOT}/cells/{{field}}/{{number}}/picture": ("The picture of a cell with its outline", "image/jpeg"),
    f"{ROOT}/slides/{{slide}}/report": ("The report of a slide", "text/html"),
}
_LIVE = {
    f"{ROOT}/live.jpg": ("The next live picture, with outlines", "image/jpeg"),
    f"{ROOT}/live.mjpeg": ("Live pictures, one after the other", "multipart/x-mixed-replace"),
    f"{ROOT}/events": ("The state of the device and its newest result, as they come", "text/event-stream"),
    f"{ROOT}/screen.png": (
        "The device's screen; 304 where If-None-Match names it",
        "image/png",
    ),
    f"{ROOT}/openapi.json": ("This document", "application/json"),
}


async def show_document(request: Request) -> Response:
    """Return the document."""
    return JSONResponse(document())


def document() -> dict[str, Any]:
    """Return the description of the API."""
    paths: dict[str, Any] = {action_path(each): _operation(each) for each in ACTIONS.values()}
    for path, (summary, kind) in (_NUMBERED | _LIVE).items():
        names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        paths[path] = {"get": _described(summary, kind) | {"parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "integer", "minimum": 0}}
            for name in names]}}  # fmt: skip
    schemes = {
        "token": {"type": "http", "scheme": "bearer"},
        "session": {"type": "apiKey", "in": "cookie", "name": "__Host-smearscope"},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Smearscope", "version": __version__, "description": RESEARCH_USE_ONLY},
        "paths": paths,
        "security": [{name: []} for name in schemes],
        "components": {"securitySchemes": schemes, "schemas": {"Error": _ERROR}},
    }


def _operation(action: Action[Any]) -> dict[str, Any]:
    schema = schema_of(action.name)
    about = _described(action.help, "application/json") | {
        "operationId": action.name.replace(" ", "_"),
        "description": f"Needs the role {action.role}.",
    }
    if action.changes:
        body = {"required": True, "content": {"application/json": {"schema": schema}}}
        return {"post": about | {"requestBody": body}}
    return {"get": about | {"parameters": [
        {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": each}
        for name, each in schema["properties"].items()]}}  # fmt: skip


def _described(summary: str, kind: str) -> dict[str, Any]:
    content = {kind: {"schema": {"type": "object"}} if kind == "application/json" else {}}
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    errors = {code: {"description": text, "content": error} for code, text in _ERRORS.items()}
    return {"summary": summary, "responses": {"200": {"description": "done", "content": content}} | errors}
