"""Outlines of cells as they are stored: steps from point to point, which compress to about one byte a point."""

import zlib

import numpy as np
from numpy.typing import NDArray

MAX_POINTS = 100_000  # of one cell: the rim of a whole frame has fewer


def pack(contour: NDArray[np.int32]) -> bytes:
    """Return the outline int32 (n, 2) of x and y, at most 32,767 pixels, as bytes."""
    steps = np.diff(contour, axis=0, prepend=np.zeros((1, 2), np.int32))
    return zlib.compress(np.ascontiguousarray(steps.T, "<i2").tobytes())


def unpack(packed: object) -> NDArray[np.int32] | None:
    """Return what `pack` was given; None where there is none, or the disk has damaged it."""
    if not isinstance(packed, bytes):
        return None
    reader = zlib.decompressobj()
    try:
        raw = reader.decompress(packed, 4 * MAX_POINTS)
    except zlib.error:
        return None
    if not reader.eof or len(raw) % 4 or not raw:
        return None
    return np.cumsum(np.frombuffer(raw, "<i2").reshape(2, -1).T, axis=0, dtype=np.int32)
