"""The control socket: one thread serves every client, so that none of them can keep another or the device waiting.

A client sends one line, gets one line, and is let go. What takes long is answered in a thread of its own. Clients,
these threads and the files that clients hold open are bounded in number, and each step in time.
"""

import selectors
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from device.control.protocol import (
    REQUEST_BYTES,
    REQUEST_S,
    ControlError,
    discard,
    memory_file,
    message_line,
    parse_message,
    socket_address,
)
from device.session.supervisor import Turn
from smear.errors import SmearscopeError
from smear.output_files import printable

MODE = 0o660  # the owner, and members of the service's group
CLIENTS = 64  # connected at once; for one more, the one that has been silent longest goes
AT_ONCE, THREADS = 2, 8  # requests being answered, of one kind and of all: the unit allows few threads
HELD = 4  # answers with files that clients still read; for one more, the oldest is taken back
READ_S = 5.0  # to take an answer
HOLD_S = 10.0  # to read its files
QUICK = frozenset({"status"})  # answered in the server's own thread: it only looks at what is in memory
_POLL_S = 0.2

Answer = Callable[[Mapping[str, Any]], dict[str, Any]]
"""Answers one request; a value that is `bytes` is handed over as a file. Raises SmearscopeError with what is wrong."""


class ControlServer:
    """Listens on one socket; `work` is a supervised part."""

    def __init__(self, path: Path, answers: Mapping[str, Answer]) -> None:
        self._path = path
        self._answers = answers

    def work(self, turn: Turn) -> None:
        """Answer until told to stop.

        Raises:
            ControlError: the socket cannot be made.
            OSError: no descriptor is left for a client; all of them are let go.
        """
        with _listening(self._path) as listener:
            try:
                with _Clients(listener, self._answers) as clients:
                    while not turn.stop.is_set():
                        clients.serve(_POLL_S)
            finally:
                self._path.unlink(missing_ok=True)


class Step(Enum):
    """How far a client has come; each but WAITING has a deadline of its own."""

    ASKING = auto()  # its request is not complete
    WAITING = auto()  # for a thread that answers it
    READING = auto()  # its answer is not sent completely
    HOLDING = auto()  # it reads the files of its answer


@dataclass(eq=False, slots=True)
class _Client:
    connection: socket.socket
    due_s: float
    step: Step = Step.ASKING
    request: bytearray = field(default_factory=bytearray)
    unsent: bytes = b""
    files: list[int] = field(default_factory=list)
    files_sent: bool = False


class _Clients:
    """Everybody who is connected, in the order of their connecting; used by one thread but for `_answer_later`."""

    def __init__(self, listener: socket.socket, answers: Mapping[str, Answer]) -> None:
        self._listener = listener
        self._answers = answers
        self._clients: list[_Client] = []
        self._busy: Counter[str] = Counter()
        self._answered: deque[tuple[_Client, bytes, list[int]]] = deque()  # by other threads
        self._lock = threading.Lock()  # of the two above and `_closed`
        self._closed = False
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        for end in (self._wake, self._woken, listener):
            end.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)

    def __enter__(self) -> "_Clients":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._closed = True
            left = [descriptor for *_, files in self._answered for descriptor in files]
            self._wake.close()
        for descriptor in left:
            discard(descriptor)
        for client in list(self._clients):
            self._let_go(client)
        self._woken.close()
        self._selector.close()

    def serve(self, wait_s: float) -> None:
        """Wait for at most `wait_s` for anything to do, and do it; nothing in here waits for a client."""
        next_due_s = min((each.due_s for each in self._clients), default=float("inf"))
        for key, _ in self._selector.select(max(0.0, min(wait_s, next_due_s - time.monotonic()))):
            if key.fileobj is self._listener:
                self._accept()
            elif key.fileobj is self._woken:
                with suppress(BlockingIOError):
                    self._woken.recv(4096)
            elif key.data in self._clients:  # else it was let go earlier in this round
                self._go_on(key.data)
        self._take_answers()
        self._keep_deadlines()

    def _accept(self) -> None:
        for _ in range(CLIENTS):
            try:
                connection, _ = self._listener.accept()
            except BlockingIOError:
                return
            connection.setblocking(False)
            client = _Client(connection, time.monotonic() + REQUEST_S)
            self._clients.append(client)
            self._selector.register(connection, selectors.EVENT_READ, client)
            if len(self._clients) > CLIENTS:
                silent = next(each for each in self._clients if each.step is Step.ASKING)
                self._refuse(silent, f"more than {CLIENTS} clients; ask again")

    def _go_on(self, client: _Client) -> None:
        try:
            if client.step is Step.ASKING:
                self._receive(client)
            elif client.step is Step.READING:
                self._send(client)
            elif not client.connection.recv(4096):  # HOLDING: it closes when it has read them
                self._let_go(client)
        except BlockingIOError:
            return
        except OSError:  # it went away: nothing of ours is lost
            self._let_go(client)

    def _receive(self, client: _Client) -> None:
        part = client.connection.recv(REQUEST_BYTES + 1 - len(client.request))
        client.request += part
        line, newline, _ = client.request.partition(b"\n")
        if newline:
            self._begin(client, bytes(line))
        elif not part:
            self._refuse(client, "the line has no end; end the request with a newline")
        elif len(client.request) > REQUEST_BYTES:
            self._refuse(client, f"a request has at most {REQUEST_BYTES} bytes")

    def _begin(self, client: _Client, line: bytes) -> None:
        """Answer a request, here or in a thread of its own."""
        try:
            request = parse_message(line)
            name = self._known(request)
            if name in QUICK:
                self._reply(client, *_reply_to(self._answers[name], request))
                return
            self._reserve(name)
        except ControlError as error:
            return self._refuse(client, str(error))
        client.step, client.due_s = Step.WAITING, float("inf")  # the answers keep deadlines of their own
        self._selector.unregister(client.connection)
        later = partial(self._answer_later, client, name, request)
        threading.Thread(target=later, name="control client", daemon=True).start()

    def _known(self, request: Mapping[str, Any]) -> str:
        name = request.get("command")
        if not isinstance(name, str) or name not in self._answers:
            raise ControlError(f"no such command; the device knows {', '.join(self._answers)}")
        return name

    def _reserve(self, name: str) -> None:
        with self._lock:
            if self._busy[name] >= AT_ONCE or self._busy.total() >= THREADS:
                raise ControlError(f"busy with {self._busy.total()} other requests; ask again when they are done")
            self._busy[name] += 1

    def _answer_later(self, client: _Client, name: str, request: Mapping[str, Any]) -> None:
        line, files = _reply_to(self._answers[name], request)
        with self._lock:
            self._busy[name] -= 1
            if not self._closed:
                self._answered.append((client, line, files))
                with suppress(BlockingIOError):  # woken already
                    self._wake.send(b"\0")
                return
        for descriptor in files:
            discard(descriptor)

    def _take_answers(self) -> None:
        while self._answered:
            client, line, files = self._answered.popleft()
            self._selector.register(client.connection, selectors.EVENT_WRITE, client)
            self._reply(client, line, files)

    def _refuse(self, client: _Client, reason: str) -> None:
        self._reply(client, message_line({"ok": False, "error": reason}), [])

    def _reply(self, client: _Client, line: bytes, files: list[int]) -> None:
        client.step, client.due_s = Step.READING, time.monotonic() + READ_S
        client.unsent, client.files = line, files
        holding = [each for each in self._clients if each.files and each is not client]
        if files and len(holding) >= HELD:
            self._let_go(min(holding, key=lambda each: each.due_s))
        self._selector.modify(client.connection, selectors.EVENT_WRITE, client)
        self._go_on(client)

    def _send(self, client: _Client) -> None:
        files = [] if client.files_sent else client.files
        client.unsent = client.unsent[socket.send_fds(client.connection, [client.unsent], files) :]
        client.files_sent = True  # with the first byte
        if client.unsent:
            return
        if client.files:
            client.step, client.due_s = Step.HOLDING, time.monotonic() + HOLD_S
            self._selector.modify(client.connection, selectors.EVENT_READ, client)
        else:
            self._let_go(client)

    def _keep_deadlines(self) -> None:
        now_s = time.monotonic()
        for client in [each for each in self._clients if each.due_s <= now_s]:
            if client.step is Step.ASKING:
                self._refuse(client, f"no request within {REQUEST_S:g} s; send one line of JSON")
            else:
                self._let_go(client)

    def _let_go(self, client: _Client) -> None:
        self._clients.remove(client)
        with suppress(KeyError):  # WAITING
            self._selector.unregister(client.connection)
        client.connection.close()
        for descriptor in client.files:
            discard(descriptor)


@contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as listener:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_socket() and not path.is_symlink():
                path.unlink()  # of a daemon that was killed: a living one would hold the store
            with socket_address(path) as address:
                listener.bind(address)
            path.chmod(MODE)  # before anyone can connect: nobody is listened to yet
            listener.listen(CLIENTS)
        except OSError as error:
            raise ControlError(
                f"control socket {printable(path)}: {error.strerror or error}; check the owner of its folder"
            ) from error
        yield listener


def _reply_to(answer: Answer, request: Mapping[str, Any]) -> tuple[bytes, list[int]]:
    """Return the line that answers `request` and the files that go with it."""
    files: list[int] = []
    try:
        found = answer(request)
        contents = {name: value for name, value in found.items() if isinstance(value, bytes)}
        for content in contents.values():
            files.append(memory_file(content))
        rest = {name: value for name, value in found.items() if name not in contents}
        announced = {"files": {name: len(content) for name, content in contents.items()}}
        return message_line({"ok": True} | rest | announced), files
    except SmearscopeError as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001 - the client's boundary: no request may end the daemon
        reason = f"{type(error).__name__}: {error}; please report this"
    for descriptor in files:
        discard(descriptor)
    return message_line({"ok": False, "error": " ".join(reason.split())}), []
