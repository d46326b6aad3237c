"""Work that ends the process which does it, for tests of what is left of the others."""

import os
import signal
from collections.abc import Sequence

from device.archive.examiner import Examiner


def end_at_thirteen(examiner: Examiner, tasks: Sequence[int]) -> list[int]:
    """Return each number doubled; 13 ends the process, as a picture does that needs too much memory."""
    if 13 in tasks:
        os.kill(os.getpid(), signal.SIGKILL)
    return [2 * task for task in tasks]


def end_once(examiner: Examiner, tasks: Sequence[str]) -> list[str]:
    """Return what was given; the first process that meets a path where nothing is makes a file there, and ends."""
    for path in tasks:
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            continue
        os.kill(os.getpid(), signal.SIGKILL)
    return list(tasks)


def stop_once(examiner: Examiner, tasks: Sequence[str]) -> list[str]:
    """Return what was given, folders with a pipe `never`; the first process that meets one waits there for ever."""
    for path in tasks:
        try:
            os.close(os.open(f"{path}/met", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            continue
        os.close(os.open(f"{path}/never", os.O_RDONLY))
    return list(tasks)
