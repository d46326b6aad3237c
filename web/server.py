"""Serving the application: own TLS, few connections, and none that is held open by saying nothing."""

import asyncio
import ssl
from asyncio.sslproto import SSLProtocol
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

CONNECTIONS = 100
SILENT = 50  # of them, waiting for a request; one more ends the one that has been silent longest
REQUEST_S = 10.0  # to send a request's head, from the connection or the answer before on


class PunctualProtocol(H11Protocol):
    """HTTP/1.1 that closes a connection on which no request comes in time, or while too many others are silent too."""

    _late: asyncio.TimerHandle | None = None  # None: a request came

    def connection_pending(self, transport: asyncio.Transport) -> None:
        """Begin to wait before TLS is agreed on: a connection counts from here on."""
        self.transport = transport
        self.connections.add(self)
        self._await_request()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request; after TLS this goes on."""
        super().connection_made(transport)
        if self._late is None:
            self._await_request()

    def data_received(self, data: bytes) -> None:
        """Take a part of a request; who sends a byte now and then is not given more time for it."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._wait_no_longer()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        super().on_response_complete()
        if self._late is None and not self.transport.is_closing():
            self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._wait_no_longer()
        super().connection_lost(exc)

    def _await_request(self) -> None:
        self._late = self.loop.call_later(REQUEST_S, self._cut)
        waiting = {each: each._late for each in self.connections if isinstance(each, PunctualProtocol)}
        # Last those that asked for something before: a browser keeps its connection for the next page.
        silent = {each: (each.cycle is not None, late.when()) for each, late in waiting.items() if late is not None}
        if len(silent) > SILENT:
            min(silent, key=lambda each: silent[each])._cut()

    def _cut(self) -> None:
        self._wait_no_longer()
        self.connections.discard(self)  # at once: its end is handled after the requests that have come meanwhile
        self.transport.abort()

    def _wait_no_longer(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


class PunctualTls(SSLProtocol):
    """TLS below such a connection: asyncio's own tells HTTP of it only once both ends have agreed."""

    def __init__(self, context: ssl.SSLContext, **given: Any) -> None:
        self._http = PunctualProtocol(**given)
        nobody: Any = None  # waits for the end of the handshake
        super().__init__(asyncio.get_running_loop(), self._http, context, nobody, server_side=True)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to agree, and to wait."""
        self._http.connection_pending(transport)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:  # type: ignore[override]
        """Forget the connection, also one that never came as far as HTTP."""
        if self._http.transport is self._transport:
            self._http.connection_lost(exc)
        super().connection_lost(exc)


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the server listens, and how."""

    address: str
    port: int
    certificate: tuple[Path, Path] | None  # None: without TLS, for this machine alone
    proxied: bool = False  # a proxy on this machine ends TLS and says who the client is


def server_of(app: Starlette, where: Listening) -> uvicorn.Server:
    """Return what serves `app`: `run` does until a signal ends it."""
    http: Any = PunctualProtocol if where.certificate is None else partial(PunctualTls, _context(*where.certificate))
    config = uvicorn.Config(
        app,
        host=where.address,
        port=where.port,
        http=http,
        ws="none",
        lifespan="on",
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=2 * int(REQUEST_S),  # `REQUEST_S` counts. The usual 5 s are many clients' own, and they race
        timeout_graceful_shutdown=2,
        proxy_headers=where.proxied,
        forwarded_allow_ips="127.0.0.1,::1",
        server_header=False,
        access_log=False,
        log_level="warning",
    )
    return uvicorn.Server(config)


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3  # every browser of these years has it
    context.load_cert_chain(certificate, key)
    return context
