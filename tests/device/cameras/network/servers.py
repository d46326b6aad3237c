"""Servers that say whatever a test wants, over real sockets."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Handler = Callable[[socket.socket, bytes], None]
"""Answers one request; the connection is closed afterwards."""


@contextmanager
def serving(handler: Handler) -> Iterator[tuple[str, list[bytes]]]:
    """Serve until the end of the context; give the authority `127.0.0.1:PORT` and the requests that came."""
    listener = socket.create_server(("127.0.0.1", 0))
    requests: list[bytes] = []
    connections: list[socket.socket] = []

    def answer(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            request = b""
            while not request.endswith(b"\r\n\r\n"):
                if not (some := connection.recv(4096)):
                    return
                request += some
            requests.append(request)
            handler(connection, request)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connections.append(connection)
                threading.Thread(target=answer, args=(connection,), name="answer", daemon=True).start()

    threading.Thread(target=accept, name="accept", daemon=True).start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}", requests
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def response(status: str = "200 OK", body: bytes = b"", **headers: str) -> bytes:
    """Return an answer; underscores of a header's name are dashes."""
    lines = [f"HTTP/1.1 {status}", *(f"{key.replace('_', '-')}: {value}" for key, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


MOTION = response(Content_Type="multipart/x-mixed-replace; boundary=frame")


def part(picture: bytes, length: int | None = None) -> bytes:
    """Return one part of a stream with the boundary `frame`."""
    shown = len(picture) if length is None else length
    return b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % shown + picture + b"\r\n"
