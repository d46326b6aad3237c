"""What a V4L2 device says of itself, asked from the kernel: capabilities, formats, sizes and controls.

Numbers and layouts of the requests are those of <linux/videodev2.h>, the same on all 64-bit machines and on 32-bit ARM.
"""

import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from device.cameras.base import CameraDetails, Control, PixelFormat

_QUERYCAP = 0x80685600
_ENUM_FMT = 0xC0405602
_ENUM_FRAMESIZES = 0xC02C564A
_QUERYCTRL = 0xC0445624
_G_CTRL, _S_CTRL = 0xC008561B, 0xC008561C

_CAPABILITY = struct.Struct("16s32s32sIII12x")  # driver, card, bus, version, capabilities, device_caps
_FORMAT = struct.Struct("III32sI16x")  # index, type, flags, description, pixelformat
_FRAME_SIZE = struct.Struct("III6I8x")  # index, pixelformat, type, then a size or the range of a stepped one
_CONTROL = struct.Struct("II32siiiiI8x")  # id, type, name, minimum, maximum, step, default, flags
_VALUE = struct.Struct("Ii")  # id, value

_VIDEO_CAPTURE = 0x00000001
_DEVICE_CAPS = 0x80000000  # device_caps is filled in; without it, capabilities are those of the node
_DISCRETE = 1  # V4L2_FRMSIZE_TYPE_DISCRETE
_NEXT = 0x80000000  # V4L2_CTRL_FLAG_NEXT_CTRL
_DISABLED, _WRITE_ONLY = 0x0001, 0x0040
_SIMPLE_TYPES = (1, 2, 3, 8, 9)  # integer, boolean, menu, bit mask, integer menu
# Called as v4l2-ctl calls them. What switches an automatic off comes before the value that it would change.
_AUTOMATICS = {
    "auto_exposure": (0x009A0901, 1),  # V4L2_EXPOSURE_MANUAL
    "gain_automatic": (0x00980912, 0),
    "white_balance_automatic": (0x0098090C, 0),
    "focus_automatic_continuous": (0x009A090C, 0),
}
_FIXED = {
    "exposure_time_absolute": 0x009A0902,
    "gain": 0x00980913,
    "white_balance_temperature": 0x0098091A,
    "red_balance": 0x0098090E,
    "blue_balance": 0x0098090F,
    "focus_absolute": 0x009A090A,
}
CONTROLS = {name: number for name, (number, _) in _AUTOMATICS.items()} | _FIXED
_MOST = 500  # entries of a list: a driver that never says that it ends must not hang us


@dataclass(frozen=True, slots=True)
class Capability:
    """Who drives a node, and whether it gives pictures."""

    driver: str
    card: str
    captures: bool


def query_capability(handle: int) -> Capability:
    """Return the capability of an open node.

    Raises:
        OSError: it is no V4L2 device.
    """
    reply = bytearray(_CAPABILITY.size)
    fcntl.ioctl(handle, _QUERYCAP, reply)
    driver, card, _, _, all_nodes, this_node = _CAPABILITY.unpack(reply)
    capabilities = this_node if all_nodes & _DEVICE_CAPS else all_nodes  # a metadata node captures no video itself
    return Capability(_text(driver), _text(card), bool(capabilities & _VIDEO_CAPTURE))


def inspect_device(path: str) -> CameraDetails:
    """Return what the device at `path` offers; it may be in use by another program.

    Raises:
        OSError: it cannot be opened, or is no V4L2 device.
    """
    with _opened(path) as handle:
        card = query_capability(handle).card
        formats = tuple(_formats(handle))
        return CameraDetails(card, formats, tuple(_controls(handle)))


def settled_controls(path: str) -> dict[str, int]:
    """Fix exposure, gain, white balance and focus as they are now; return what the device at `path` took of it.

    Raises:
        OSError: it cannot be opened.
    """
    kept = {}
    with _opened(path) as handle:
        now = {name: _value_of(handle, number) for name, number in CONTROLS.items()}
        for name, value in now.items():
            wanted = _AUTOMATICS[name][1] if name in _AUTOMATICS else value
            if value is None or wanted is None:
                continue
            if _answered(handle, _S_CTRL, bytearray(_VALUE.pack(CONTROLS[name], wanted))):
                kept[name] = wanted
    return kept


def set_control(path: str, name: str, value: int) -> None:
    """Set one of `CONTROLS`.

    Raises:
        OSError: the device at `path` does not have it, or not with this value.
    """
    with _opened(path) as handle:
        fcntl.ioctl(handle, _S_CTRL, bytearray(_VALUE.pack(CONTROLS[name], value)))


@contextmanager
def _opened(path: str) -> Iterator[int]:
    handle = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)


def _formats(handle: int) -> Iterator[PixelFormat]:
    for index in range(_MOST):
        reply = bytearray(_FORMAT.pack(index, _VIDEO_CAPTURE, 0, b"", 0))
        if not _answered(handle, _ENUM_FMT, reply):
            return
        _, _, _, description, code = _FORMAT.unpack(reply)
        name = code.to_bytes(4, "little").decode("ascii", "replace").rstrip("\0 ")
        sizes, steps = _sizes(handle, code)
        yield PixelFormat(name, _text(description), sizes, steps)


def _sizes(handle: int, code: int) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int, int], ...]]:
    """Return the discrete sizes, or the ranges of width and height of a device that scales in steps."""
    sizes = []
    for index in range(_MOST):
        reply = bytearray(_FRAME_SIZE.pack(index, code, 0, *(0,) * 6))
        if not _answered(handle, _ENUM_FRAMESIZES, reply):
            break
        _, _, kind, *numbers = _FRAME_SIZE.unpack(reply)
        if kind != _DISCRETE:
            low_x, high_x, step_x, low_y, high_y, step_y = numbers
            return (), ((low_x, high_x, max(1, step_x)), (low_y, high_y, max(1, step_y)))
        sizes.append((numbers[0], numbers[1]))
    return tuple(sorted(set(sizes))), ()


def _controls(handle: int) -> Iterator[Control]:
    number = 0
    for _ in range(_MOST):
        reply = bytearray(_CONTROL.pack(number | _NEXT, 0, b"", 0, 0, 0, 0, 0))
        if not _answered(handle, _QUERYCTRL, reply):
            return
        found, kind, name, low, high, step, default, flags = _CONTROL.unpack(reply)
        if found <= number:
            return
        number = found
        if kind not in _SIMPLE_TYPES or flags & (_DISABLED | _WRITE_ONLY):
            continue
        value = _value_of(handle, number)
        if value is not None:
            yield Control(_text(name), value, low, high, step, default)


def _value_of(handle: int, number: int) -> int | None:
    value = bytearray(_VALUE.pack(number, 0))
    return int(_VALUE.unpack(value)[1]) if _answered(handle, _G_CTRL, value) else None


def _answered(handle: int, request: int, reply: bytearray) -> bool:
    """Ask; False at the end of a list, and for what the driver does not know."""
    try:
        fcntl.ioctl(handle, request, reply)
    except OSError:
        return False
    return True


def _text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode("utf-8", "replace").strip()
