"""Standard input, output and error that are closed or full."""

import io
import os
import sys
from typing import Any

from smear.errors import SmearscopeError

_STDOUT, _STDERR = 1, 2


class OutputError(SmearscopeError):
    """Standard output cannot be written: its disk is full, or it was closed before the start."""


class _Output(io.FileIO):
    """Standard output that says what is wrong with it; a pipe whose reader has had enough is click's own case."""

    def write(self, data: Any, /) -> int:
        """Write `data`.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, _STDOUT)  # what still waits in buffers would fail once more at the very end
            os.close(nowhere)
            raise OutputError(f"cannot write to standard output: {error.strerror}; write it elsewhere") from error


def protect_streams() -> None:
    """Open again what of the three was closed when the process started, or a file or database would become one of them.

    Input is then empty, errors go nowhere, and writing output fails as it does on a full disk: by an `OutputError`.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_WRONLY if number == _STDERR else os.O_RDONLY)  # gets the lowest number: this one
    if sys.stderr is None:
        sys.stderr = open(_STDERR, "w", closefd=False)  # noqa: SIM115 - for the whole process
    before = sys.stdout
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(_Output(_STDOUT, "w", closefd=False)),
        encoding=before.encoding if before else "utf-8",
        errors="backslashreplace",  # a name in an odd encoding must not end the program
        line_buffering=os.isatty(_STDOUT),
    )
