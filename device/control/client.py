"""A client of the control socket; `smearscope status`, `slide`, `capture` and `calibrate` use it."""

import os
import socket
import time
from pathlib import Path
from typing import Any

from device.control.protocol import (
    ANSWER_BYTES,
    ANSWER_S,
    FILES,
    REQUEST_S,
    ControlError,
    client_paths,
    file_content,
    message_line,
    parse_message,
    socket_address,
)
from smear.output_files import printable


def ask(data: Path, command: str, only: bool = False, **values: Any) -> dict[str, Any] | None:
    """Ask the daemon that records into `data`, or unless `only` that one, the service; None when none listens.

    Contents of files are `bytes` in the answer.

    Raises:
        ControlError: it may not be asked by this user, refused, or did not answer.
    """
    for path in client_paths(data, only):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            if _connected(connection, path):
                return _answer(connection, path, {"command": command} | values)
    return None


def _connected(connection: socket.socket, path: Path) -> bool:
    connection.settimeout(REQUEST_S)
    where = f"control socket {printable(path)}"
    try:
        with socket_address(path) as address:
            connection.connect(address)
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        return False
    except PermissionError as error:
        raise ControlError(
            f"{where} may not be used by this user; 'sudo usermod --append --groups smearscope NAME', then log in again"
        ) from error
    except (BlockingIOError, TimeoutError) as error:
        raise ControlError(f"{where}: too many others wait for the device; ask again") from error
    except OSError as error:
        raise ControlError(f"{where}: {error.strerror or error}; check the data folder") from error
    return True


def _answer(connection: socket.socket, path: Path, request: dict[str, Any]) -> dict[str, Any]:
    where = f"control socket {printable(path)}"
    files: list[int] = []
    try:
        connection.sendall(message_line(request))
        answer = parse_message(_read_line(connection, files, where))
        if not answer.pop("ok", False):
            raise ControlError(str(answer.get("error", "the device refused")))
        announced = answer.pop("files", {})
        if len(announced) != len(files):
            raise ControlError(f"{where}: {len(announced)} files were announced and {len(files)} came; ask again")
        contents = (file_content(*each) for each in zip(files, announced.values(), strict=True))
        return answer | dict(zip(announced, contents, strict=True))
    except OSError as error:
        raise ControlError(f"{where}: the device did not answer; see 'journalctl -u smearscope'") from error
    finally:
        for descriptor in files:
            os.close(descriptor)


def _read_line(connection: socket.socket, files: list[int], where: str) -> bytes:
    """Return the line that ends the answer; descriptors that come with it are added to `files`."""
    deadline_s = time.monotonic() + ANSWER_S  # for the whole line: one byte now and then does not keep it open
    got = bytearray()
    while not got.endswith(b"\n"):
        remaining_s = deadline_s - time.monotonic()
        if remaining_s <= 0:
            raise TimeoutError
        connection.settimeout(remaining_s)
        part, descriptors, _, _ = socket.recv_fds(connection, 65536, FILES, socket.MSG_CMSG_CLOEXEC)
        files.extend(descriptors)
        if not part:
            raise ControlError(f"{where}: the device went away in the middle of its answer; ask again")
        got += part
        if len(got) > ANSWER_BYTES:
            raise ControlError(f"{where}: an answer has at most {ANSWER_BYTES} bytes; ask again")
    return bytes(got)
