"""What stands before every route: known hosts, small and punctual bodies, patient sending, and safe headers."""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_PATH = 1000  # characters
MAX_BODY = 16_384  # bytes: `device.control.protocol.REQUEST_BYTES`, where every change goes on to
BODY_S, SEND_S = 10.0, 20.0  # for the whole body to come, and for each part of an answer to be taken
POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # with none at all browsers hide the origin of forms
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cache-control": "no-store",
}


class Shield:
    """Middleware around the whole application."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        name = socket.gethostname().lower()
        self._app = app
        self._hosts = frozenset({"localhost", name, f"{name}.local", *(each.lower() for each in hosts)})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through, or answer it."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        safe = _safe(send)
        if not self._known(headers.get("host", "")):
            return await PlainTextResponse("unknown host; see 'smearscope web serve --host'", 400)(scope, receive, safe)
        if len(scope["path"]) > MAX_PATH:
            return await PlainTextResponse(f"at most {MAX_PATH} characters of a path", 414)(scope, receive, safe)
        try:
            async with asyncio.timeout(BODY_S):
                body = await _body(receive)
        except TimeoutError:
            return await PlainTextResponse("the request came too slowly", 408)(scope, receive, safe)
        if body is None:
            return await PlainTextResponse(f"at most {MAX_BODY} bytes", 413)(scope, receive, safe)
        return await self._app(scope, _replayed(body, receive), safe)

    def _known(self, host: str) -> bool:
        """Tell whether a browser was sent here on purpose: a name that a stranger made lead here is not known."""
        name = host.rsplit(":", 1)[0] if host.count(":") == 1 or "]:" in host else host
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return name.lower() in self._hosts
        return True


async def _body(receive: Receive) -> bytes | None:
    """Return the whole body; None: it is too long, or the client has gone."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if message["type"] != "http.request" or len(body) > MAX_BODY:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _replayed(body: bytes, receive: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


def _safe(send: Send) -> Send:
    """Return `send` with the headers that every answer has, and which gives up a client that takes nothing."""

    async def safe(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        async with asyncio.timeout(SEND_S):
            await send(message)

    return safe
