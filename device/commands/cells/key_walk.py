"""Walking through the cells of a slide, one key for each, as with a tally counter at the bench."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from device.counting.cell_classes import CellClass
from device.counting.differential import DifferentialCount, differential
from device.reporting.cells import measures_text
from device.store import CellRecord, Store
from device.store.review.gallery import Order, Place

SKIP, UNDO, END = " ", "-", "."
_SAME = {"\x7f": UNDO, "\b": UNDO, "\x1b": END, "\x04": END}  # backspace, Esc and Ctrl-D of a terminal
_NOTHING = frozenset("\r\n")  # ends of lines in a script of keys


class KeyWalk:
    """One operator's walk through the cells of a slide."""

    def __init__(
        self,
        store: Store,
        slide_id: int,
        operator: str,
        classes: Sequence[CellClass],
        target: int,
        order: Order = "taken",
        of_class: str | None = None,
    ) -> None:
        self._store = store
        self._slide_id = slide_id
        self._operator = operator
        self._classes = {each.key: each for each in classes}
        self._target = target
        self._order = order
        self._of_class = of_class
        self._classified = self._passed_over = self._taken_back = 0

    def legend(self) -> str:
        """Say what each key does."""
        keys = ", ".join(f"{key} {each.name}" for key, each in self._classes.items())
        return f"keys: {keys}, space pass over, {UNDO} take back, {END} end"

    def lines(self, keys: Iterable[str], show: Callable[[CellRecord], None] = lambda cell: None) -> Iterator[str]:
        """Take `keys` until they end or no cell is left; yield a line for each cell, each answer, and the sum.

        `show` is called with each cell before its key is read.
        """
        given = iter(keys)
        cells = self._cells()
        cell = next(cells, None)
        while cell is not None:
            show(cell)
            yield f"{cell.name}  {measures_text(cell)}"
            key = next((key for key in given if key not in _NOTHING), END)
            key = _SAME.get(key, key)
            if key == END:
                break
            if key == UNDO:
                back, line = self._undo()
                yield line
                if back is not None and (back.field_id, back.number) != (cell.field_id, cell.number):
                    cells = _chained(cell, cells)
                    cell = back
            elif key == SKIP:
                self._passed_over += 1
                yield f"{cell.name}: passed over"
                cell = next(cells, None)
            elif key in self._classes:
                yield self._classify(cell, self._classes[key].name)
                cell = next(cells, None)
            else:
                yield f"no class has the key {key!r}; the keys are {' '.join(self._classes)}, space, {UNDO} and {END}"
        yield self._sum(cell is None)

    def _cells(self) -> Iterator[CellRecord]:
        after: Place | None = None
        everything = self._of_class is None
        while page := self._store.browse(
            self._slide_id,
            cell_class=self._of_class,
            unclassified=everything,
            operator=self._operator if everything else None,
            order=self._order,
            after=after,
        ):
            yield from page
            after = page[-1].field_id, page[-1].number

    def _classify(self, cell: CellRecord, name: str) -> str:
        missing = self._count().missing
        self._store.classify(self._operator, [(cell.field_id, cell.number)], name)
        self._classified += 1
        count = self._count()
        done = ": the target is met" if missing and not count.missing else ""
        return f"{cell.name}: {name} ({count.leukocytes} of {self._target} leukocytes{done})"

    def _count(self) -> DifferentialCount:
        counts = self._store.class_counts(self._slide_id, self._operator)
        return differential(counts, tuple(self._classes.values()), self._target)

    def _undo(self) -> tuple[CellRecord | None, str]:
        event = self._store.undo(self._operator, self._slide_id)
        if event is None or event.field_id is None or event.number is None:
            return None, "nothing to take back"
        self._taken_back += 1
        back = self._store.cell(event.field_id, event.number)
        return back, f"{back.name}: {event.old} taken back"

    def _sum(self, at_end: bool) -> str:
        left = "no cell is left" if at_end else "more cells are left"
        return (
            f"{self._operator}: {self._classified} cells classified, {self._passed_over} passed over, "
            f"{self._taken_back} taken back; {left}"
        )


def _chained(first: CellRecord, rest: Iterator[CellRecord]) -> Iterator[CellRecord]:
    yield first
    yield from rest
