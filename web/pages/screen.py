"""The device's screen in the browser: asked of the device once for everybody who looks."""

import asyncio
from functools import partial
from typing import Any, get_args

import anyio
from starlette.requests import Request
from starlette.responses import Response

from device.actions.screen import Key
from device.control.protocol import ControlError
from web.rendering import page
from web.site import Site


class Mirror:
    """Asks while somebody looks; who knows the newest picture waits for the next one together with the others."""

    def __init__(self, site: Site) -> None:
        self._site, self._tag = site, ""
        self._asking: dict[str, asyncio.Task[dict[str, Any]]] = {}  # by the tag that is known: the newest one, or none

    async def newest(self, known: str) -> dict[str, Any]:
        """Return the picture with its tag; without `picture`: `known` is still the newest."""
        known = known if known == self._tag else ""
        if known not in self._asking:
            self._asking[known] = asyncio.create_task(self._ask(known))
        return await asyncio.shield(self._asking[known])

    async def _ask(self, known: str) -> dict[str, Any]:
        try:
            found = await anyio.to_thread.run_sync(partial(self._site.ask, "screen", known=known))
        finally:
            del self._asking[known]
        if found is None:
            raise ControlError("no device is running here, so there is no screen to show")
        self._tag = found["tag"]
        return found


async def screen(request: Request) -> Response:
    """Show the page."""
    return page(request, "screen.html", keys=get_args(Key))


async def picture(request: Request) -> Response:
    """Return the screen as PNG as soon as it is another one than `If-None-Match` names; after a second 304."""
    found = await request.app.state.mirror.newest(request.headers.get("if-none-match", "").strip('"'))
    headers = {"etag": f'"{found["tag"]}"'}
    if "picture" not in found:
        return Response(status_code=304, headers=headers)
    return Response(found["picture"], media_type="image/png", headers=headers)
