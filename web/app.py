"""The application: every route, behind the guard unless it is named here as open."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from importlib.resources import files

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from device.actions.base import ActionError
from smear.errors import SmearscopeError
from web import api, live, login, media, openapi
from web.guard import API, Page
from web.integrations.metrics import metrics
from web.integrations.mqtt import Publisher
from web.integrations.thing import thing
from web.pages import screen
from web.pages.registry import PAGES
from web.rendering import page
from web.shield import Shield
from web.site import Site

_KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_STATIC = {each.name: each.read_bytes() for each in files("web").joinpath("static").iterdir() if each.is_file()}
OPEN = frozenset({"/login", "/static/{name}"})  # the only paths that answer somebody unknown


def create_app(site: Site, hosts: tuple[str, ...] = ()) -> Starlette:
    """Return the application for one site, which answers to `hosts` beside the names of this machine."""
    guarded = [
        Page("/logout", login.logout, method="POST"),
        Page(f"{api.ROOT}/fields/{{field:int}}/photograph", media.photograph),
        Page(f"{api.ROOT}/cells/{{field:int}}/{{number:int}}/picture", media.cell_picture),
        Page(f"{api.ROOT}/slides/{{slide:int}}/report", media.report),
        Page(f"{api.ROOT}/live.jpg", live.still),
        Page(f"{api.ROOT}/live.mjpeg", live.motion),
        Page(f"{api.ROOT}/events", live.events),
        Page(f"{api.ROOT}/screen.png", screen.picture),
        Page(f"{api.ROOT}/openapi.json", openapi.show_document),
        Page("/metrics", metrics),
        Page("/.well-known/wot", thing),
        *api.action_pages(),
        *PAGES,
    ]
    opened = [
        Route("/login", login.show_login, methods=["GET"]),
        Route("/login", login.login, methods=["POST"]),
        Route("/static/{name}", _static, methods=["GET"]),
    ]
    publisher = Publisher(site) if site.settings.mqtt.host else None
    app = Starlette(
        lifespan=partial(_published, publisher),
        routes=[*opened, *(each.route() for each in guarded)],
        middleware=[Middleware(Shield, hosts=hosts)],
        exception_handlers={HTTPException: _refused, SmearscopeError: _failed},
    )
    app.state.site, app.state.feed = site, live.Feed(site)
    app.state.nav = tuple(each for each in PAGES if each.title)
    return app


@asynccontextmanager
async def _published(publisher: Publisher | None, app: Starlette) -> AsyncIterator[None]:
    """Publish the device's state while the application is served."""
    task = asyncio.create_task(publisher.run()) if publisher else None
    yield
    if task is not None:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _static(request: Request) -> Response:
    """Return a file that was read at the start: no path is made of the name."""
    name = request.path_params["name"]
    if name not in _STATIC:
        raise HTTPException(404, "there is no such file")
    kind = _KINDS.get(name[name.rfind(".") :], "application/octet-stream")
    return Response(_STATIC[name], media_type=kind, headers={"cache-control": "public, max-age=3600"})


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _said(request, error.status_code, error.detail, dict(error.headers or {}))


async def _failed(request: Request, error: Exception) -> Response:
    """Answer with what the store, the device or an action refused."""
    return _said(request, 400 if isinstance(error, ActionError) else 409, " ".join(str(error).split()), {})


def _said(request: Request, status: int, text: str, headers: dict[str, str]) -> Response:
    if request.url.path.startswith(API):
        return JSONResponse({"error": text}, status, headers)
    answer = page(request, "error.html", status, text=text)
    answer.headers.update(headers)
    return answer
