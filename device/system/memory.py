"""The heap of a long-running process with several threads."""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # of glibc's malloc.h
_LARGE_BYTES = (
    16 * 2**20
)  # larger than any picture of a 1.5-megapixel camera; larger pieces are mapped alone and returned when freed


def share_one_heap() -> None:
    """Let all threads allocate from one heap that returns large pieces; call it before the first thread starts.

    glibc gives each thread a heap of its own and keeps freed memory in each of them, so that they fragment and the
    process grows. Other C libraries are left as they are.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _LARGE_BYTES)
