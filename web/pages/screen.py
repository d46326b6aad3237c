"""The device's own screen: its picture while somebody looks, and what operators touch."""

from functools import partial
from typing import get_args

import anyio
from starlette.requests import Request
from starlette.responses import Response

from device.actions.device import Key
from device.control.protocol import ControlError
from web.rendering import page
from web.site import site_of


async def screen(request: Request) -> Response:
    """Show the page."""
    return page(request, "screen.html", keys=get_args(Key))


async def picture(request: Request) -> Response:
    """Return the screen as PNG; 304 where it is the one that `If-None-Match` names."""
    site, known = site_of(request), request.headers.get("if-none-match", "").strip('"')
    found = await anyio.to_thread.run_sync(partial(site.ask, "screen", known=known), limiter=site.looking)
    if found is None:
        raise ControlError("no device is running here, so there is no screen to show")
    picture, headers = found.get("picture"), {"etag": f'"{found["tag"]}"'}
    return Response(picture, 304 if picture is None else 200, headers, "image/png")
