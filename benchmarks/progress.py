"""Shows how far a measurement is."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

OnProgress = Callable[[str, float], None]
"""Called with what is being measured, and how much of it is done, 0 to 1."""

LOG_EVERY_S = 5.0  # a log of a long run stays readable


def ignore_progress(what: str, done: float) -> None:
    """Do nothing: for callers that show no progress."""


@contextmanager
def show_progress() -> Iterator[OnProgress]:
    """Show a progress bar on a terminal; in a log, a line every few seconds."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _log(console)
        return
    columns = (
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=1.0)
        yield lambda what, done: progress.update(task, description=what, completed=done)


def _log(console: Console) -> OnProgress:
    last_s = float("-inf")

    def log(what: str, done: float) -> None:
        nonlocal last_s
        now_s = time.monotonic()
        if now_s - last_s > LOG_EVERY_S:
            last_s = now_s
            console.print(f"{done:4.0%} {what}", markup=False, highlight=False)

    return log
