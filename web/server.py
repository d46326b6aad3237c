"""Serving the application: own TLS, few connections, and none that is held open by saying nothing."""

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

CONNECTIONS = 100
REQUEST_S = 10.0  # to send a request's head, from the connection or the answer before on


class PunctualProtocol(H11Protocol):
    """HTTP/1.1 that closes a connection on which no request comes in time."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._await_request()

    def data_received(self, data: bytes) -> None:
        """Take a part of a request; who sends a byte now and then is not given more time for it."""
        super().data_received(data)
        if self._late is not None and self.cycle is not None and not self.cycle.response_complete:
            self._late.cancel()
            self._late = None

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        super().on_response_complete()
        if self._late is None and not self.transport.is_closing():
            self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self._late is not None:
            self._late.cancel()
        super().connection_lost(exc)

    def _await_request(self) -> None:
        self._late = self.loop.call_later(REQUEST_S, self.transport.abort)


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the server listens, and how."""

    address: str
    port: int
    certificate: tuple[Path, Path] | None  # None: without TLS, for this machine alone
    proxied: bool = False  # a proxy on this machine ends TLS and says who the client is


def server_of(app: Starlette, where: Listening) -> uvicorn.Server:
    """Return what serves `app`: `run` does until a signal ends it."""
    certificate, key = where.certificate or (None, None)
    config = uvicorn.Config(
        app,
        host=where.address,
        port=where.port,
        http=PunctualProtocol,
        ws="none",
        lifespan="off",
        ssl_certfile=certificate,
        ssl_keyfile=key,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=2,
        proxy_headers=where.proxied,
        forwarded_allow_ips="127.0.0.1,::1",
        server_header=False,
        access_log=False,
        log_level="warning",
    )
    config.load()
    if config.ssl is not None:
        config.ssl.minimum_version = ssl.TLSVersion.TLSv1_3  # every browser of these years has it
    return uvicorn.Server(config)
