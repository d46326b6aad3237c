"""What both ends of the control socket share: where it is, what a line holds, and how a photograph is handed over.

A request is one line of JSON, and so is its answer. Contents of files do not travel in the line: each is in a sealed
memory file (`memfd_create`) whose descriptor comes with the answer's first byte; the line names them in order.
"""

import fcntl
import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from smear.errors import SmearscopeError

SOCKET = "smearscope.sock"
FALLBACK = "control.sock"  # in the data folder, where there is no runtime directory
SERVICE_SOCKET = Path("/run/smearscope") / SOCKET
REQUEST_BYTES = 16_384  # the longest request names `device.actions.base.MAX_ITEMS` cells
ANSWER_BYTES = 4_000_000  # the longest answer names some thousand cells
FILE_BYTES = 500_000_000  # more than the overlay of any camera
FILES = 4  # with one answer
REQUEST_S = 5.0  # to send a request
ANSWER_S = 30.0  # to answer one: a calibration averages frames of a camera that may be slow
_ADDRESS_BYTES = 107  # of a socket's path (`sun_path` and its end); a data folder's path may be forty times longer
_LARGEST = 2**53  # a whole number beyond it is not the same one as a float, which is what handlers make of it
_NOT_UTF8 = re.compile("[\ud800-\udfff]")  # how Python keeps the bytes of a name that is not UTF-8


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


@contextmanager
def socket_address(path: Path) -> Iterator[str]:
    """Return a name of `path` that is short enough for a socket.

    Raises:
        OSError: the folder of a long path cannot be opened.
    """
    if len(os.fsencode(path)) <= _ADDRESS_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def message_line(message: Mapping[str, Any]) -> bytes:
    r"""Return `message` as one line; a byte of a name that is not UTF-8 becomes the text `\xff`, as on the screen."""
    text = json.dumps(message, ensure_ascii=False, allow_nan=False)
    return _NOT_UTF8.sub(lambda found: f"\\\\x{ord(found[0]) & 0xFF:02x}", text).encode() + b"\n"


def parse_message(line: bytes) -> dict[str, Any]:
    """Return the object in one line.

    Raises:
        ControlError: it is not one object of JSON in UTF-8, or holds a number that is not finite or too large.
    """
    try:
        found = json.loads(line.decode(), parse_constant=_number, parse_float=_number, parse_int=_whole)
    except (ValueError, RecursionError) as error:
        reason = str(error) or "nested too deeply"
        raise ControlError(f"not a line of JSON ({reason}); send one object") from error
    if not isinstance(found, dict):
        raise ControlError("not a JSON object; send one")
    return found


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is no finite number")
    return number


def _whole(text: str) -> int:
    if len(text) > len(str(-_LARGEST)) or abs(int(text)) > _LARGEST:
        raise ValueError(f"{text[:20]}... is too large a number")
    return int(text)


def memory_file(content: bytes) -> int:
    """Return the descriptor of a file in memory that holds `content` and that nobody can write to or make larger.

    Whoever has it can still empty it: so the daemon takes the memory back from a client that does not let go.

    Raises:
        OSError: there is no memory or no descriptor left.
    """
    descriptor = os.memfd_create("smearscope", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def discard(descriptor: int) -> None:
    """Empty a file of `memory_file` and close it: its memory is free, whoever still has it open."""
    os.ftruncate(descriptor, 0)
    os.close(descriptor)


def file_content(descriptor: int, size: int) -> bytes:
    """Return the `size` bytes of a file that came with an answer.

    Raises:
        ControlError: it holds another number of bytes, such as none when it was read too late.
        OSError: it is no regular file.
    """
    found = os.fstat(descriptor).st_size
    if found != size or not 0 < size <= FILE_BYTES:
        raise ControlError(f"the device announced {size} bytes of a file and sent {found}; ask again")
    parts, at = [], 0
    while at < size and (part := os.pread(descriptor, size - at, at)):
        parts.append(part)
        at += len(part)
    return b"".join(parts)
