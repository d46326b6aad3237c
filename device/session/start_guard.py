"""Goes back to the previous bundle when the present one has kept the service from starting again and again."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from device.bundles import CURRENT, PREVIOUS, Prove, rollback, target
from smear.bundle.files import FileFault, read_file
from smear.errors import SmearscopeError, StoreError
from smear.output_files import write_atomic

FILE = ".starts.json"
FAILED_STARTS = 3  # one after the other, in one boot, each without a field; systemd rests after five
_MAX_BYTES = 10_000
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Starts:
    """What became of the last starts."""

    boot: str = ""  # a power cut is no failed start: another boot counts from 0
    bundle: str = ""  # folder of the bundle they were made with
    failed: int = 0
    left: tuple[str, ...] = field(default=())  # bundles given up in this boot, never gone back to by itself


class StartGuard:
    """Counts the starts of a service that end before the first field; `models` is None where nothing is to be done."""

    def __init__(self, models: Path | None, boot: str) -> None:
        self._models = models
        self._boot = boot
        self._starts = Starts(boot)
        self._pending = False

    def begin(self, prove: Prove, public_key: Path | None = None) -> str | None:
        """Note that a start begins; return what was done about those that failed before, if anything."""
        current = None if self._models is None else target(self._models, CURRENT)
        if self._models is None or current is None:
            return None
        known, said = _read(self._models / FILE), None
        starts = known if known.boot == self._boot else Starts(self._boot)
        if starts.bundle != current.name:
            starts = replace(starts, bundle=current.name, failed=0)
        if starts.failed >= FAILED_STARTS and current.name not in starts.left:
            starts, said = self._go_back(self._models, starts, prove, public_key)
        self._starts, self._pending = replace(starts, failed=starts.failed + 1), True
        self._write()
        return said

    def succeeded(self) -> None:
        """Note that this start led to a field, or ended as it was meant to."""
        if self._pending:
            self._pending = False
            self._starts = replace(self._starts, failed=0)
            self._write()

    def until_first(self, on_field: Callable[[T], None]) -> Callable[[T], None]:
        """Return `on_field` which notes its first call as a success."""

        def noted(examined: T) -> None:
            self.succeeded()
            on_field(examined)

        return noted

    def _go_back(self, models: Path, starts: Starts, prove: Prove, public_key: Path | None) -> tuple[Starts, str]:
        failed = f"bundle {starts.bundle} has kept the service from starting {starts.failed} times"
        given_up = replace(starts, left=(*starts.left, starts.bundle))
        previous = target(models, PREVIOUS)
        if previous is None or previous.name in given_up.left:
            return (
                given_up,
                f"{failed}, and there is no other to go back to; install one with 'smearscope model install'",
            )
        try:
            rollback(models, prove=prove, public_key=public_key)
        except SmearscopeError as error:
            return given_up, f"{failed}, and the previous one cannot be used: {error}"
        return replace(given_up, bundle=previous.name, failed=0), f"{failed}: went back to {previous.name}"

    def _write(self) -> None:
        if self._models is not None:
            with suppress(StoreError):  # a card that is full or read-only is said by who records; counting can wait
                write_atomic(self._models / FILE, json.dumps(asdict(self._starts), allow_nan=False).encode())


def _read(path: Path) -> Starts:
    """Return what was noted; nothing where the file is missing or damaged."""
    try:
        raw = json.loads(read_file(path, _MAX_BYTES))
        boot, bundle, failed, left = raw["boot"], raw["bundle"], raw["failed"], tuple(map(str, raw["left"]))
        return Starts(str(boot), str(bundle), max(0, int(failed)), left)
    except (FileFault, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return Starts()
