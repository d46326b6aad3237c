"""The PIN that unlocks the screen: its hash in the data folder, and how often a wrong one may be tried."""

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from device.control.server import Answer
from device.screen.choices import Choices
from smear.bundle.files import FileFault, read_file
from smear.errors import SmearscopeError
from smear.output_files import write_atomic

FILE = "screen-pin"
LEAST, MOST = 4, 8  # digits
_WRONG, _WAIT_S = 5, 30.0  # so many wrong ones, then one try each half minute: 10,000 take three days
_COST = {"n": 2**14, "r": 8, "p": 1}  # as RFC 7914 has it for logins: 16 MB, a tenth of a second


class ScreenLock:
    """The actions of the lock."""

    def __init__(self, data: Path, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._data = data
        self._monotonic_s = monotonic_s
        self._wrong, self._again_s = 0, 0.0

    def answers(self) -> dict[str, Answer]:
        """Return every action with who answers it."""
        return {"lock state": lambda _: {"set": is_set(self._data)}, "lock open": self._open}

    def _open(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Tell whether "pin" is the right one; any is where none is set, as after it was reset."""
        now = self._monotonic_s()
        if now < self._again_s:
            raise SmearscopeError(f"too many wrong PINs: try again in {self._again_s - now:.0f} s")
        right = not is_set(self._data) or _is_right(self._data / FILE, request["pin"])
        self._wrong = 0 if right else self._wrong + 1
        self._again_s = now + _WAIT_S if self._wrong >= _WRONG else 0.0
        return {"right": right}


def is_set(data: Path) -> bool:
    """Tell whether the screen has a PIN."""
    return (data / FILE).exists()


def set_pin(data: Path, pin: str) -> None:
    """Keep the hash of a PIN, "" for none.

    Raises:
        SmearscopeError: it is no PIN, or the disk is full or read-only.
    """
    if not pin:
        (data / FILE).unlink(missing_ok=True)
    elif not re.fullmatch(f"[0-9]{{{LEAST},{MOST}}}", pin):
        raise SmearscopeError(f"a PIN has {LEAST} to {MOST} digits; type another one")
    else:
        salt = secrets.token_bytes(16)
        write_atomic(data / FILE, f"{salt.hex()} {_hash(pin, salt)}\n".encode(), mode=0o600)


def lock_after_s(data: Path) -> float | None:
    """Return after how many seconds without a touch the screen locks, infinity for never; None: it has no PIN."""
    return (Choices.read(data).lock_after_min * 60.0 or float("inf")) if is_set(data) else None


def _is_right(file: Path, pin: str) -> bool:
    try:
        salt, kept = read_file(file, 1_000).decode().split()
        return hmac.compare_digest(kept, _hash(pin, bytes.fromhex(salt)))
    except (FileFault, ValueError, TypeError) as error:
        advice = "run 'smearscope config reset-pin' as the device's user"
        raise SmearscopeError(f"{file} cannot be read ({error}), so no PIN is right; {advice}") from error


def _hash(pin: str, salt: bytes) -> str:
    return hashlib.scrypt(pin.encode(), salt=salt, **_COST).hex()
