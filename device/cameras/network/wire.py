"""One HTTP request to a camera within limits of time and size: no redirect, no proxy, no compression.

Python's own client and not a larger one: it follows no redirect and no proxy of the environment, bounds the headers,
adds no package to the device, and leaves the socket to us, on which alone the time of a whole answer can be bounded.
"""

import base64
import http.client
import io
import socket
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit
from urllib.request import AbstractDigestAuthHandler, HTTPPasswordMgr, Request, parse_http_list, parse_keqv_list

from device.cameras.network.address import Address, Credentials, credentials_for, no_credentials
from smear.errors import CameraError

CONNECT_S = 5.0  # in the same building; also for the headers of the answer
_SHOWN = 60  # characters of what a server says, in a message


class Wire(io.RawIOBase):
    """A socket as `http.client` uses it; what it receives must come before a point in time, however slowly it drips."""

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        super().__init__()
        self.sendall = connection.sendall
        self._connection = connection
        self.allow(seconds)

    def allow(self, seconds: float) -> None:
        """Let all that is read from now on take `seconds`."""
        self._until_s = time.monotonic() + seconds

    def readable(self) -> bool:
        """Tell `io.BufferedReader` that it may."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Wait for some bytes; raises TimeoutError."""
        left_s = self._until_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._connection.settimeout(left_s)
        return self._connection.recv_into(buffer)

    def makefile(self, mode: str = "rb") -> io.BufferedReader:
        """Return what is received as a file."""
        return io.BufferedReader(self)

    def close(self) -> None:
        """Leave it open: the answer is still being read."""


class Exchange:
    """Requests to one camera, one after another, each on a connection of its own."""

    def __init__(self, address: Address) -> None:
        """Look up the credentials.

        Raises:
            CameraError: their file cannot be used.
        """
        self._address = address
        self._credentials = credentials_for(address)
        self._path = address.requested(self._credentials)
        self._authorization: Callable[[], str] | None = None
        self._socket: socket.socket | None = None
        self._wire: Wire | None = None
        self._interrupted = False

    def get(self) -> http.client.HTTPResponse:
        """Return the answer, of which only the headers have been read; it is successful.

        Raises:
            CameraError: the camera does not answer, or otherwise than with 200.
        """
        answer = self._request()
        if answer.status == HTTPStatus.UNAUTHORIZED and self._credentials is not None:
            challenges = answer.headers.get_all("WWW-Authenticate") or []
            try:
                self._authorization = _authorization(challenges, self._credentials, self._path)
            except (ValueError, IndexError):  # the latter where a value is empty
                raise CameraError(f"camera {self._address.name} asks for its password in an unknown way") from None
            answer = self._request()
        if answer.status != HTTPStatus.OK:
            raise CameraError(f"camera {self._address.name} {self._refusal(answer)}")
        if (coding := answer.headers.get("Content-Encoding", "identity")) != "identity":
            raise CameraError(f"camera {self._address.name} sends pictures packed by {_plain(coding)}; switch that off")
        return answer

    def allow(self, seconds: float) -> None:
        """Let what is read from now on take `seconds` in all; then it raises TimeoutError."""
        if self._wire is not None:
            self._wire.allow(seconds)

    def interrupt(self) -> None:
        """End the reading that another thread waits in."""
        self._interrupted = True
        if self._socket is not None:
            try:
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # of TLS, too: not its own, which would wait
            except OSError:
                return  # the other side was faster

    def close(self) -> None:
        """Close the connection; safe to call twice."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _request(self) -> http.client.HTTPResponse:
        self.close()
        kind = http.client.HTTPSConnection if self._address.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._address.host, self._address.port, timeout=CONNECT_S)
        try:
            connection.connect()
            self._socket = connection.sock
            self._wire = Wire(self._socket, CONNECT_S)
            connection.sock = self._wire
            if self._interrupted:
                raise CameraError(f"camera {self._address.name} was closed")
            connection.request("GET", self._path, headers=self._headers())
            return connection.getresponse()
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise CameraError(f"camera {self._address.name} {no_answer(self._address, error)}") from None

    def _headers(self) -> dict[str, str]:
        fixed = {"User-Agent": "smearscope", "Accept": "image/jpeg, multipart/x-mixed-replace", "Connection": "close"}
        return fixed | ({"Authorization": self._authorization()} if self._authorization else {})

    def _refusal(self, answer: http.client.HTTPResponse) -> str:
        if answer.status == HTTPStatus.UNAUTHORIZED:
            known = self._credentials is not None
            return "refuses its user name and password" if known else no_credentials(self._address.host)
        if 300 <= answer.status < 400:
            secret = self._path != self._address.path  # a server may repeat the credentials that it was sent
            target = "another address" if secret else _target(answer.headers.get("Location", ""))
            return f"sends the visitor on to {target}; give that address itself"
        phrase = next((status.phrase for status in HTTPStatus if status == answer.status), "")
        return f"answers {answer.status} {phrase}".rstrip() + "; check the part of the address after its host"


def no_answer(address: Address, error: Exception) -> str:
    """Return why the camera cannot be reached, and what to do."""
    return (
        f"does not answer ({reason(error)}); check that it is switched on and in this network; the service also needs "
        f"'smearscope cameras allow {address.name}'"
    )


def reason(error: Exception) -> str:
    """Return why a connection failed, in words that hold nothing the other side chose."""
    if isinstance(error, TimeoutError):
        return "too slow"
    if isinstance(error, OSError):  # before the others: a refused certificate is a ValueError too
        return error.strerror or "it closed the connection"
    return "not in HTTP"


def _authorization(challenges: list[str], credentials: Credentials, path: str) -> Callable[[], str]:
    """Return what makes the header for each request: Digest where it is offered, else Basic."""
    for challenge in challenges:
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "digest":
            passwords = HTTPPasswordMgr()
            facts = parse_keqv_list(parse_http_list(rest))
            passwords.add_password(facts.get("realm", ""), "http://camera/", credentials.user, credentials.password)
            digest = AbstractDigestAuthHandler(passwords)
            request = Request("http://camera" + path)
            return lambda: f"Digest {digest.get_authorization(request, facts)}"
    pair = base64.b64encode(f"{credentials.user}:{credentials.password}".encode()).decode("ascii")
    return lambda: f"Basic {pair}"


def _target(location: str) -> str:
    """Return where a redirect leads, without its query, which may hold a session's key."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return "nowhere"
    return _plain(f"{parts.scheme}://{parts.hostname}{parts.path}" if parts.hostname else parts.path)


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() and letter.isascii() else "?" for letter in text)[:_SHOWN]
