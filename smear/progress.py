"""What commands show on a terminal: a progress bar around anything gone through one by one, and wide tables."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")


def progress(items: Iterable[T], text: str, quiet: bool = False, total: int | None = None) -> Iterator[T]:
    """Yield `items` behind a progress bar on stderr, with rate and time left.

    `total` is their number where `items` cannot tell it.
    """
    from rich.console import Console  # here: what only reads a picture needs no terminal
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(TextColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.1f}/s" if task.speed else "")

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(""), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True) as bar:
        yield from bar.track(items, total, description=text)


@contextmanager
def step_bar(text: str, total: int | None) -> Iterator[Callable[..., None]]:
    """Show progress over `total` steps, None for a number not known, on a terminal's stderr; give what counts one."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(text, total=total)
        yield lambda *_: bar.advance(task)


def table_console(file_width: int) -> "Console":
    """Return a console as wide as the terminal; of `file_width` columns where the output is a file or a pipe."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=file_width)
