"""What people did with a slide, from its audit trail: first classifications summed up, everything else line by line."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from device.store import Store
from device.store.review.audit_trail import Action, Event

MAX_EVENTS = 200  # listed
_PAGE = 1000


@dataclass(slots=True)
class FirstLook:
    """The cells that one operator classified for the first time."""

    n: int = 0
    first_s: float = 0.0  # Unix time
    last_s: float = 0.0

    def add(self, wall_time_s: float) -> None:
        """Take one more classification in."""
        self.first_s = min(self.first_s, wall_time_s) if self.n else wall_time_s
        self.last_s = max(self.last_s, wall_time_s)
        self.n += 1


@dataclass(slots=True)
class Trail:
    """The events of a slide."""

    looks: dict[str, FirstLook] = field(default_factory=dict)  # by operator
    others: list[Event] = field(default_factory=list)  # the first `MAX_EVENTS`, oldest first
    more: int = 0  # events that are not listed


def trail_of(store: Store, slide_id: int) -> Trail:
    """Return what happened to a slide."""
    trail = Trail()
    for event in _events(store, slide_id):
        if event.action == Action.CLASSIFY and event.old is None:
            trail.looks.setdefault(event.operator, FirstLook()).add(event.wall_time_s)
        elif len(trail.others) < MAX_EVENTS:
            trail.others.append(event)
        else:
            trail.more += 1
    return trail


def _events(store: Store, slide_id: int) -> Iterator[Event]:
    after = 0
    while found := store.events(slide_id, _PAGE, after):
        yield from found
        after = found[-1].id
