"""The part that looks after the board: temperature, throttling, free disk and clock, read apart from the screen."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from device.session.supervisor import Turn
from device.store.retention import free_bytes_of
from device.system.clock import clock_synced
from device.system.health import Health, read_health

HEALTH = "health"
_EVERY_S = 5.0  # a board warms up over minutes; the firmware is asked for its throttling through a slow mailbox
_NEARLY_FULL = 2.0  # times the room that must stay free: a person has time to copy slides before the oldest go


@dataclass(frozen=True, slots=True)
class BoardState:
    """How the board is; None where it does not tell."""

    health: Health
    free_bytes: int | None = None
    nearly_full: bool = False
    clock_set: bool | None = None


class HealthWorker:
    """Reads the board again and again; `work` is a supervised part, which a disk that hangs may stall."""

    def __init__(
        self,
        data: Path,
        min_free_bytes: int,
        read: Callable[[], Health] = read_health,
        free_bytes: Callable[[Path], int] = free_bytes_of,
        synced: Callable[[], bool | None] = clock_synced,
    ) -> None:
        self.newest: BoardState | None = None
        self._data, self._min_free_bytes = data, min_free_bytes
        self._read, self._free_bytes, self._synced = read, free_bytes, synced

    def work(self, turn: Turn) -> None:
        """Read until told to stop."""
        while not turn.stop.is_set():
            self.look()
            turn.stop.wait(_EVERY_S)

    def look(self) -> None:
        """Read once."""
        try:
            free: int | None = self._free_bytes(self._data)
        except OSError:  # the disk was taken out: the store says so
            free = None
        full = free is not None and free < _NEARLY_FULL * self._min_free_bytes
        self.newest = BoardState(self._read(), free, full, self._synced())
