"""Batches go to processes and come back in order, whichever of these are killed."""

import itertools
import re
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing import active_children
from pathlib import Path

import pytest

from device.archive.examiner import Examiner, Job
from device.archive.inputs import Inputs
from device.archive.process_pool import ProcessPool
from device.archive.workers import KILLED, Lost, ThisProcess, in_order
from device.model_choice import ModelChoice
from smear.errors import BundleError
from tests.device.archive.deadly import end_at_thirteen, end_once


def test_two_processes_give_what_one_gives_in_the_order_of_the_names(job: Job, archive: Callable[[int], Path]) -> None:
    folder = archive(21)
    (folder / "005.png").write_bytes(b"no picture")
    found = []
    for workers in (ThisProcess(job), ProcessPool(job, 2)):
        with closing(workers):
            done = list(in_order(workers, Examiner.pictures, Inputs([str(folder)]).tasks()))
        assert [task.number for task, _ in done] == list(range(21))
        found.append([(task.name, result.sha256, result.error) for task, result in done])
    assert found[0] == found[1]
    assert [name for name, _, error in found[0] if error] == [f"{folder}/005.png"]


def test_a_task_that_kills_its_process_is_lost_and_no_other(job: Job) -> None:
    with closing(ProcessPool(job, 2)) as pool:
        done = list(in_order(pool, end_at_thirteen, range(30)))
    assert done == [(n, Lost(KILLED) if n == 13 else 2 * n) for n in range(30)]


def test_a_process_that_is_killed_by_chance_costs_nothing(job: Job, tmp_path: Path) -> None:
    tasks = [str(tmp_path / "made") if n == 13 else str(tmp_path) for n in range(30)]
    with closing(ProcessPool(job, 2)) as pool:
        assert list(in_order(pool, end_once, tasks)) == [(task, task) for task in tasks]


def test_tasks_are_taken_as_results_are_so_that_millions_need_no_memory(job: Job) -> None:
    ahead = []

    def tasks() -> Iterator[int]:
        for number in itertools.count(20):
            ahead.append(number)
            yield number

    with closing(ProcessPool(job, 2)) as pool:
        done = list(itertools.islice(in_order(pool, end_at_thirteen, tasks()), 40))
    assert len(ahead) <= len(done) + pool.window * pool.batch


def test_ctrl_c_is_for_the_first_process_and_pressed_again_waits_for_none(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    pool = ProcessPool(job, 1)
    pool.send(end_at_thirteen, [1])
    (worker,) = active_children()
    held_back = re.search(r"SigBlk:\s*(\w+)", Path(f"/proc/{worker.pid}/status").read_text())
    assert held_back is not None
    assert int(held_back[1], 16) >> (signal.SIGINT - 1) & 1
    monkeypatch.setattr(ProcessPoolExecutor, "shutdown", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pool.close()
    worker.join(30)
    assert not Path(f"/proc/{worker.pid}").exists()


def test_a_bundle_that_does_not_open_in_the_processes_is_the_fault_that_is_raised(job: Job, tmp_path: Path) -> None:
    nothing = Job(job.settings, None, ModelChoice(tmp_path / "nothing"))
    with closing(ProcessPool(nothing, 2)) as pool, pytest.raises(BundleError, match="nothing"):
        list(in_order(pool, end_at_thirteen, range(3)))
