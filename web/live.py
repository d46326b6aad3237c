"""The live picture and the newest result: asked of the device once for everybody who looks, and only while one does."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import anyio
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from device.control.protocol import ControlError
from web.site import Site, site_of

VIEWERS = 8  # streams at once
_STILL_S = 5.0  # for one picture to come
_RETRY_S = 1.0  # while no device is running
_REMEMBERED = 8  # pictures, of 60 kB each: about two seconds for a slow network to ask for that of a result
_BOUNDARY = "smearscope-frame"


@dataclass(frozen=True, slots=True)
class Moment:
    """What the device said last: its state as JSON types, and the picture as JPEG where a new one came."""

    number: int  # counts up, so that each viewer gets each at most once
    state: dict[str, Any]
    picture: bytes | None


class Feed:
    """Asks the device while somebody looks; every viewer gets the newest answer, and a slow one skips some."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._viewers = 0
        self._task: asyncio.Task[None] | None = None
        self._newest = Moment(0, {}, None)
        self._changed = asyncio.Condition()
        self.pictures: dict[int, bytes] = {}  # the last ones, by the number of their result

    async def moments(self) -> AsyncIterator[Moment]:
        """Yield what comes from now on.

        Raises:
            HTTPException: too many look already.
        """
        if self._viewers >= VIEWERS:
            raise HTTPException(503, f"{VIEWERS} others are looking; close one of the windows")
        self._viewers += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._ask())
        seen = self._newest.number
        try:
            while True:
                async with self._changed:
                    while self._newest.number == seen:
                        await self._changed.wait()
                seen = self._newest.number
                yield self._newest
        finally:
            self._viewers -= 1

    async def _ask(self) -> None:
        while self._viewers:
            try:
                found: dict[str, Any] | None = await anyio.to_thread.run_sync(self._site.ask, "live")
            except (ControlError, OSError) as error:  # the latter: no descriptor is left
                found = {"error": str(error)}
            state: dict[str, Any] = {"error": "no device is running"} if found is None else found
            picture = state.pop("picture", None)
            if picture is not None:
                self.pictures[state["result"]["number"]] = picture
                while len(self.pictures) > _REMEMBERED:
                    del self.pictures[next(iter(self.pictures))]
            async with self._changed:
                self._newest = Moment(self._newest.number + 1, state, picture)
                self._changed.notify_all()
            if "error" in state:
                await asyncio.sleep(_RETRY_S)  # between two tries, as a client that dials again


async def still(request: Request) -> Response:
    """Return the next picture; with `?number=N` that of result N while it is remembered, which an event announced."""
    wanted = request.query_params.get("number", "")
    known = {str(number): picture for number, picture in request.app.state.feed.pictures.items()}
    if wanted in known:
        return Response(known[wanted], media_type="image/jpeg")
    try:
        async with asyncio.timeout(_STILL_S):
            async for each in _shown(request):
                if each.picture is not None:
                    return Response(each.picture, media_type="image/jpeg")
    except TimeoutError:
        pass
    raise HTTPException(409, "no picture came; see the device's state")


async def motion(request: Request) -> Response:
    """Return pictures one after the other, as an image that browsers show moving."""
    kind = f"multipart/x-mixed-replace; boundary={_BOUNDARY}"
    return StreamingResponse(_parts(await _begun(request)), media_type=kind)


async def events(request: Request) -> Response:
    """Return the device's state and newest result as server-sent events."""
    return StreamingResponse(_lines(await _begun(request)), media_type="text/event-stream")


async def _begun(request: Request) -> AsyncIterator[Moment]:
    """Return the moments from the first on, so that a refusal is still an answer of its own."""
    moments = _shown(request)
    first = await anext(moments)

    async def all_of_them() -> AsyncIterator[Moment]:
        yield first
        async for each in moments:
            yield each

    return all_of_them()


async def _shown(request: Request) -> AsyncIterator[Moment]:
    """Yield what comes while who asked may see it: a logout or another role ends the stream."""
    person, site = request.state.person, site_of(request)
    async for each in request.app.state.feed.moments():
        if site.person(request) != person:
            return
        yield each


async def _parts(moments: AsyncIterator[Moment]) -> AsyncIterator[bytes]:
    """Yield the pictures, each with the boundary after it: browsers show one when they see that it has ended."""
    boundary = f"--{_BOUNDARY}\r\n".encode()
    yield boundary
    async for each in moments:
        if each.picture is not None:
            head = f"Content-Type: image/jpeg\r\nContent-Length: {len(each.picture)}\r\n\r\n"
            yield head.encode() + each.picture + b"\r\n" + boundary


async def _lines(moments: AsyncIterator[Moment]) -> AsyncIterator[str]:
    async for each in moments:
        yield f"event: result\ndata: {json.dumps(each.state, allow_nan=False)}\n\n"
