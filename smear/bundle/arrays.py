"""Arrays in an .npz file that somebody else may have written: known kinds, finite, and no larger than agreed."""

import io
import math
import struct
import tokenize
import zipfile
import zlib

import numpy as np

from smear.errors import BundleError

MAX_BYTES = 64_000_000  # of all arrays of one file together, unpacked; a golden file's have 0.3 MB
MAX_ARRAYS = 200
_MAX_HEADER = 10_000
_KINDS = frozenset("uif")  # unsigned, whole and floating numbers: no objects, so nothing is executed
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED = 1
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_UNREADABLE = (
    OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError,
    SyntaxError, tokenize.TokenError, TypeError, KeyError, AttributeError, OverflowError, MemoryError,
)  # fmt: skip


def read_arrays(content: bytes, name: str) -> dict[str, np.ndarray]:
    """Return the arrays of the .npz file with this `content`; `name` is for messages.

    Sizes are compared before anything is unpacked, so that a small file cannot fill the memory.

    Raises:
        BundleError: it is damaged, larger than `MAX_BYTES` unpacked, or holds anything but finite numbers.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if len(members) > MAX_ARRAYS or sum(member.file_size for member in members) > MAX_BYTES:
                raise BundleError(f"{name} unpacks to more than {MAX_BYTES // 1_000_000} MB or {MAX_ARRAYS} arrays")
            return {member.filename.removesuffix(".npy"): _array(archive, member) for member in members}
    except _UNREADABLE as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise BundleError(f"{name} cannot be read ({reason})") from error


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    if member.compress_type not in _METHODS or member.flag_bits & _ENCRYPTED:
        raise ValueError(f"{member.filename[:80]!r} is packed in an unusual way")
    with archive.open(member) as packed:
        unpacked = io.BytesIO(packed.read(member.file_size))
    version = np.lib.format.read_magic(unpacked)
    if version not in _HEADERS:
        raise ValueError(f"{member.filename[:80]!r} is of version {version}")
    shape, columns_first, kind = _HEADERS[version](unpacked, max_header_size=_MAX_HEADER)
    values = unpacked.getbuffer()[unpacked.tell() :]
    if kind.kind not in _KINDS or min(shape, default=0) < 0 or math.prod(shape) * kind.itemsize != len(values):
        raise ValueError(f"{member.filename[:80]!r} is no array of numbers, or not as large as it says")
    array = np.frombuffer(values, kind).reshape(shape, order="F" if columns_first else "C")
    if not np.isfinite(array).all():
        raise ValueError(f"{member.filename[:80]!r} holds values that are no finite numbers")
    return array
