"""A progress bar on stderr around anything that is gone through one by one."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def progress(items: Iterable[T], text: str, quiet: bool = False, total: int | None = None) -> Iterator[T]:
    """Yield `items` behind a progress bar on stderr; `total` where `items` cannot tell their number."""
    from rich.console import Console  # here: what only reads a picture needs no terminal
    from rich.progress import track

    yield from track(items, text, total, console=Console(stderr=True), disable=quiet, transient=True)
