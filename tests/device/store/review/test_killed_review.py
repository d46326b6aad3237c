"""A power cut at any step of what people do leaves it done or not done, with its event or without, and no file over."""

import os
import shutil
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from device.counting.cell_classes import DEFAULT_CLASSES
from device.store import Store
from device.store.database import DATABASE, open_for_reading
from device.store.photographs import PHOTOGRAPHS
from device.system.clock import ManualClock
from tests.device.findings import OUT_OF_FOCUS, finding, frame

ACTIONS: dict[str, Callable[[Store], object]] = {
    "classify": lambda store: store.classify("ann", [(1, 1), (3, 0)], "monocyte"),
    "undo": lambda store: store.undo("ann", 1),
    "review": lambda store: store.set_review(2, False, "Pre", operator="ann"),
    "keep": lambda store: store.set_keep(True, slide_id=1, operator="ann"),
    "edit": lambda store: store.edit_slide(1, "ann", name="B", note="thin"),
    "merge": lambda store: store.merge_slides(1, 2, "ann"),
    "sign": lambda store: store.sign(1, "ann", DEFAULT_CLASSES, 1),
    "delete": lambda store: store.delete_slide(1, operator="ann"),
}


def contents(folder: Path) -> tuple[list[str], list[str]]:
    """All that the store holds once it was opened again: every row of every table, and the photographs."""
    with Store.record(folder):
        pass
    with closing(sqlite3.connect(folder / DATABASE)) as database:
        photographs = sorted(path.name for path in (folder / PHOTOGRAPHS).rglob("*.jpg"))
        return list(database.iterdump()), photographs


def ends(folder: Path, action: str, step: int | None = None) -> bool:
    """Run `action` in a process that kills itself before the SQL statement number `step`; return whether it ended."""
    child = os.fork()
    if child == 0:
        store = Store(open_for_reading(folder, 5.0), clock=ManualClock(wall_s=1_800_000_000.0))
        left = [step]

        def count(_: str) -> None:
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] = None if left[0] is None else left[0] - 1

        store._database._connection.set_trace_callback(count)
        try:
            ACTIONS[action](store)
            os._exit(0)
        finally:
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in {0, -signal.SIGKILL}
    return status == 0


@pytest.mark.parametrize("action", ACTIONS)
def test_a_kill_at_any_statement_leaves_all_or_nothing(tmp_path, action):
    with Store.record(tmp_path / "before", clock=ManualClock(wall_s=1_700_000_000.0)) as store:
        for name, seeds in (("A", (1, 2)), ("B", (2, 3))):
            slide = store.start_slide(name)
            for seed in seeds:
                blurred = (name, seed) == ("A", 2)
                store.add_field(slide, frame(seed, seed=seed), finding(None, (OUT_OF_FOCUS,)) if blurred else finding())
            store.end_slide(slide)
        store.classify("ann", [(1, 0)], "blast")
    before = contents(tmp_path / "before")
    shutil.copytree(tmp_path / "before", tmp_path / "after")
    assert ends(tmp_path / "after", action)
    after = contents(tmp_path / "after")
    assert after != before
    step, ended = 0, False
    while not ended:
        shutil.copytree(tmp_path / "before", tmp_path / "killed")
        ended = ends(tmp_path / "killed", action, step)
        found = contents(tmp_path / "killed")
        assert found == after if ended else found in (before, after), f"killed before statement {step}"
        shutil.rmtree(tmp_path / "killed")
        step += 1
    assert step > 3
