"""The control socket: one line of JSON in, one out; `smearscope status`, `slide`, `capture` and `calibrate` use it."""

import json
import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from device.session.supervisor import Turn
from smear.errors import SmearscopeError

SOCKET = "smearscope.sock"
FALLBACK = "control.sock"  # in the data folder, where there is no runtime directory
SERVICE_SOCKET = Path("/run/smearscope") / SOCKET
MODE = 0o660  # the owner, and members of the service's group
REQUEST_BYTES = 4096  # the longest request is a slide's name
ANSWER_BYTES = 64_000_000  # a photograph and its overlay in base64
REQUEST_S = 5.0  # to send a request; a client that dawdles is cut off
ANSWER_S = 30.0  # a calibration averages frames of a camera that may be slow
CLIENTS = 4  # at once: the unit allows few threads, and one person has one terminal or two
_POLL_S = 0.2

Answer = Callable[[Mapping[str, Any]], dict[str, Any]]
"""Answers one request; raises SmearscopeError with what is wrong."""


class ControlError(SmearscopeError):
    """The running device did not do what it was asked."""


def socket_path(data: Path) -> Path:
    """Return where the socket of the daemon is that records into `data`."""
    if runtime := os.environ.get("RUNTIME_DIRECTORY"):
        return Path(runtime.split(":", 1)[0]) / SOCKET
    return data / FALLBACK


def client_paths(data: Path, only: bool) -> list[Path]:
    """Return where a client looks: the folder's own socket and, unless `only` this folder was meant, the service's."""
    return [socket_path(data), data / FALLBACK, *([] if only else [SERVICE_SOCKET])]


class ControlServer:
    """Listens on one socket; `work` is a supervised part."""

    def __init__(self, path: Path, answers: Mapping[str, Answer]) -> None:
        self._path = path
        self._answers = answers
        self._free = threading.BoundedSemaphore(CLIENTS)

    def work(self, turn: Turn) -> None:
        """Answer until told to stop.

        Raises:
            ControlError: the socket cannot be made.
        """
        listener = self._listen()
        with listener:
            listener.settimeout(_POLL_S)
            try:
                while not turn.stop.is_set():
                    try:
                        client, _ = listener.accept()
                    except TimeoutError:
                        continue
                    self._greet(client)
            finally:
                self._path.unlink(missing_ok=True)

    def _listen(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._path.exists() and stat.S_ISSOCK(self._path.stat().st_mode):
                self._path.unlink()  # of a daemon that was killed: a living one would hold the store
            with _short(self._path) as address:
                listener.bind(address)
            self._path.chmod(MODE)  # before anyone can connect: nobody is listened to yet
            listener.listen(CLIENTS)
        except OSError as error:
            listener.close()
            raise ControlError(
                f"control socket {self._path}: {error.strerror or error}; check the owner of its folder"
            ) from error
        return listener

    def _greet(self, client: socket.socket) -> None:
        if not self._free.acquire(blocking=False):
            client.close()
            return
        threading.Thread(target=self._serve, args=(client,), name="control client", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            with client:
                _send(client, self._reply(client))
        except OSError:
            return  # it went away: nothing of ours is lost
        finally:
            self._free.release()

    def _reply(self, client: socket.socket) -> dict[str, Any]:
        try:
            request = _parse(_read_line(client, REQUEST_BYTES, REQUEST_S))
            return {"ok": True} | self._answers[self._known(request)](request)
        except SmearscopeError as error:
            return {"ok": False, "error": str(error)}
        except TimeoutError:
            return {"ok": False, "error": f"no request within {REQUEST_S:g} s; send one line of JSON"}
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - the client's boundary: no request may end the daemon
            return {"ok": False, "error": f"{type(error).__name__}: {error}; please report this"}

    def _known(self, request: Mapping[str, Any]) -> str:
        name = request.get("command")
        if not isinstance(name, str) or name not in self._answers:
            raise ControlError(f"no such command; the device knows {', '.join(self._answers)}")
        return name


def ask(data: Path, command: str, only: bool = False, **values: Any) -> dict[str, Any] | None:
    """Ask the daemon that records into `data`, or unless `only` that one, the service; None when none listens.

    Raises:
        ControlError: it may not be asked by this user, refused, or did not answer.
    """
    for path in client_paths(data, only):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(REQUEST_S)
            try:
                with _short(path) as address:
                    connection.connect(address)
            except PermissionError as error:
                raise ControlError(
                    f"control socket {path} may not be used by this user; "
                    "'sudo usermod --append --groups smearscope NAME', then log in again"
                ) from error
            except OSError:  # nobody there; TimeoutError included: it has as many clients as it takes
                continue
            return _answer_of(connection, path, {"command": command} | values)
    return None


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """Give an address of the socket `path` that fits into the 107 bytes which the kernel takes.

    Raises:
        OSError: its folder is not there, or may not be entered.
    """
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _answer_of(connection: socket.socket, path: Path, request: dict[str, Any]) -> dict[str, Any]:
    try:
        _send(connection, request)
        answer = _parse(_read_line(connection, ANSWER_BYTES, ANSWER_S))
    except OSError as error:
        raise ControlError(
            f"control socket {path}: the device did not answer; see 'journalctl -u smearscope'"
        ) from error
    if not answer.pop("ok", False):
        raise ControlError(str(answer.get("error", "the device refused")))
    return answer


def _send(connection: socket.socket, message: Mapping[str, Any]) -> None:
    connection.settimeout(ANSWER_S)
    connection.sendall(json.dumps(message, ensure_ascii=False).encode() + b"\n")


def _read_line(connection: socket.socket, most_bytes: int, timeout_s: float) -> bytes:
    deadline_s = time.monotonic() + timeout_s  # for the whole line: one byte now and then does not keep it open
    got = bytearray()
    while not got.endswith(b"\n"):
        remaining_s = deadline_s - time.monotonic()
        if remaining_s <= 0:
            raise TimeoutError
        connection.settimeout(remaining_s)
        part = connection.recv(65536)
        if not part:
            raise ControlError("the line ended without its end; the other side went away")
        got += part
        if len(got) > most_bytes:
            raise ControlError(f"a request has at most {most_bytes} bytes")
    return bytes(got)


def _parse(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ControlError(f"not a line of JSON ({error}); send one object") from error
    if not isinstance(found, dict):
        raise ControlError("not a JSON object; send one")
    return found
