"""The memory of a long-running process with several threads: one heap, and a limit that it meets itself."""

import ctypes
import resource
import sys
import threading
from pathlib import Path

import numpy as np

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # of glibc's malloc.h
_LARGE_BYTES = 16 * 2**20  # more than a picture of 1.5 megapixels; larger pieces are mapped alone, returned when freed
_STACK_BYTES = 2 * 2**20


def share_one_heap(large_bytes: int = _LARGE_BYTES) -> None:
    """Let all threads allocate from one heap that returns large pieces; call it before the first thread starts.

    glibc gives each thread a heap of its own and keeps freed memory in each of them, so that they fragment and the
    process grows. Other C libraries are left as they are. Stacks of threads are smaller than the usual 8 MB: all of a
    stack counts in what `fail_before_the_kernel_acts` allows, and a picture read ahead would leave none for a field.
    """
    threading.stack_size(_STACK_BYTES)
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, large_bytes)
        mallopt(_M_TRIM_THRESHOLD, large_bytes)


_BLAS_SIDE = 256  # smaller products are done without a buffer
_NO_LIMIT_BYTES = 2**50  # version 1 has no word for it
_SPARE_BYTES = 32 * 2**20  # for what is taken in small pieces, where a failure would end the process


def fail_before_the_kernel_acts(proc: Path = Path("/proc/self"), groups: Path = Path("/sys/fs/cgroup")) -> None:
    """Let what does not fit into the memory of this process's control group fail with `MemoryError`.

    Without it the kernel ends the process (`MemoryMax` of the service): one large picture would take the service with
    it. Call it when the models are loaded; what is mapped by then and never used does not count.
    """
    allowed = _allowed_bytes(proc, groups)
    if allowed is None:
        return
    some = np.ones((_BLAS_SIDE, _BLAS_SIDE), np.float32)
    some @ some  # OpenBLAS takes its buffers at its first product, and ends the process where it cannot have them
    lines = (line.split() for line in (proc / "status").read_text(encoding="ascii").splitlines())
    kilobytes = {words[0]: int(words[1]) for words in lines if words[0] in {"VmRSS:", "VmData:"}}
    room = max(0, allowed - kilobytes["VmRSS:"] * 1024 - _SPARE_BYTES)
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (kilobytes["VmData:"] * 1024 + room, most))


def _allowed_bytes(proc: Path, groups: Path) -> int | None:
    """Return the limit of the control group, of version 2 or 1; None where there is none."""
    for line in (proc / "cgroup").read_text(encoding="ascii").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers not in {"", "memory"}:
            continue
        file = f"{path}/memory.max" if not controllers else f"memory/{path}/memory.limit_in_bytes"
        try:
            allowed = int((groups / file.lstrip("/")).read_text(encoding="ascii"))
        except (OSError, ValueError):  # no such controller, or "max"
            continue
        return allowed if allowed < _NO_LIMIT_BYTES else None
    return None
