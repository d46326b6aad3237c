"""How little memory a daemon of several threads can do with."""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # of glibc's malloc.h
_LARGE_BYTES = 16 * 2**20  # more than any picture of a 1.5-megapixel camera; mapped alone, and given back when freed


def share_one_heap() -> None:
    """Let all threads allocate from one heap that gives large pieces back; call it before the first thread starts.

    glibc gives each thread a heap of its own, keeps what was freed in each, and takes ever larger pieces from them
    until their remains are in the way of each other. Other C libraries are left as they are.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _LARGE_BYTES)
