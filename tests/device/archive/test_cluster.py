"""Several machines: whatever is killed, every picture has one row, and what is done is not done again."""

import csv
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from device.archive.examiner import Examiner, Job
from device.archive.inputs import Inputs
from device.archive.manifest import Manifest
from device.archive.workers import KILLED, Lost, in_order
from device.cli import cli
from smear.errors import SmearscopeError
from tests.device.archive.deadly import end_at_thirteen, stop_once

pytest.importorskip("distributed", reason="Dask is missing: pip install 'smearscope[cluster]'")
from distributed import Client

from device.archive import cluster

ROOT = Path(__file__).parents[3]


@dataclass
class Machines:
    """A scheduler and three workers, each started again whenever it ends, as a service does that."""

    folder: Path
    port: int
    loops: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._loop("scheduler", f"--host 127.0.0.1 --port {self.port} --no-dashboard --pid-file scheduler")
        for number in range(3):
            options = "--nthreads 1 --no-nanny --no-dashboard --death-timeout 60"
            self._loop("worker", f"{self.address} {options} --local-directory here --pid-file worker{number}")

    def kill(self, name: str) -> None:
        os.kill(int((self.folder / name).read_text()), signal.SIGKILL)

    def stop(self) -> None:
        for loop in self.loops:
            os.killpg(loop.pid, signal.SIGKILL)
            loop.wait()

    def _loop(self, what: str, options: str) -> None:
        command = f"while :; do {sys.executable} -m distributed.cli.dask_{what} {options}; done"
        environment = os.environ | {"PYTHONPATH": str(ROOT), "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
        with (self.folder / "log").open("ab") as log:
            self.loops.append(
                subprocess.Popen(
                    ["bash", "-c", command], cwd=self.folder, env=environment, stdout=log, stderr=log,
                    start_new_session=True,
                )
            )  # fmt: skip


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    found = Machines(tmp_path_factory.mktemp("machines"), port)
    found.start()
    with Client(found.address, timeout=120) as client:
        client.wait_for_workers(3, timeout=120)
    yield found
    found.stop()


def test_a_killed_worker_and_a_new_scheduler_cost_no_row_and_double_none(
    machines: Machines,
    tiny_bundle: Path,
    archive: Callable[[int], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, out = archive(80), tmp_path / "results.csv"
    (folder / "007.png").write_bytes(b"no picture")
    killed = {20: "worker1", 40: "scheduler"}
    add, added = Manifest.add, []

    def add_and_kill(self: Manifest, task: object, done: object) -> None:
        added.append(task)
        add(self, task, done)
        if name := killed.get(len(added)):
            machines.kill(name)

    monkeypatch.setattr(Manifest, "add", add_and_kill)
    monkeypatch.setattr(cluster.Cluster, "batch", 3)
    options = ["--bundle", str(tiny_bundle), "--level", "float32", "--scheduler", machines.address, "--out", str(out)]
    result = CliRunner().invoke(cli, ["analyze", *options, "--data", str(tmp_path / "store"), str(folder)])
    assert "1 of 80 pictures could not be examined" in result.stderr
    rows = list(csv.DictReader(out.open(newline="")))
    assert [row["image"] for row in rows] == [f"{folder}/{number:03}.png" for number in range(80)]
    assert [row["image"] for row in rows if row["error"]] == [f"{folder}/007.png"]
    assert len(added) == 80

    result = CliRunner().invoke(cli, ["analyze", *options, "--resume", "--data", str(tmp_path / "store"), str(folder)])
    assert "79 pictures of 80: examined by an earlier run" in result.stderr
    assert len(added) == 81  # the one that failed is tried again


def test_a_task_that_kills_every_worker_is_lost_and_no_other(
    machines: Machines, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster.Cluster, "batch", 3)
    with closing(cluster.Cluster(job, machines.address)) as workers:
        done = list(in_order(workers, end_at_thirteen, range(30)))
    assert done == [(n, Lost(KILLED) if n == 13 else 2 * n) for n in range(30)]


def test_a_batch_that_takes_far_longer_than_others_is_given_to_a_second_worker(
    machines: Machines, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_STRAGGLER_S", 1)
    os.mkfifo(tmp_path / "never")
    with closing(cluster.Cluster(job, machines.address)) as workers:
        assert list(in_order(workers, stop_once, [str(tmp_path)])) == [(str(tmp_path), str(tmp_path))]


def test_runs_of_other_settings_do_not_examine_for_each_other(
    machines: Machines, job: Job, archive: Callable[[int], Path]
) -> None:
    tasks = Inputs([str(archive(3))]).tasks()
    other = replace(job, digests=False)
    with closing(cluster.Cluster(job, machines.address)) as workers, closing(cluster.Cluster(other, machines.address)):
        done = list(in_order(workers, Examiner.pictures, tasks))
    assert all(len(result.sha256) == 64 for _, result in done)


def test_a_worker_that_joins_and_cannot_be_set_up_is_named(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = cluster.ExaminerPlugin(job)
    worker = SimpleNamespace(address="tcp://b:1", plugins={plugin.name: plugin})
    monkeypatch.setattr(cluster, "get_worker", lambda: worker)
    with pytest.raises(SmearscopeError, match="worker tcp://b:1 could not be set up"):
        plugin.work(Examiner.pictures, [])


@pytest.mark.parametrize("address", ["", "a:8786x", "http://a:80"])
def test_an_address_that_is_none_is_one_line(job: Job, address: str) -> None:
    with pytest.raises(SmearscopeError, match="give tcp://HOST:8786"):
        cluster.Cluster(job, address)


def test_without_a_scheduler_it_is_one_line(tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_FIRST_PATIENCE_S", 1)
    options = ["--bundle", str(tiny_bundle), "--level", "float32", "--scheduler", "tcp://127.0.0.1:9"]
    result = CliRunner().invoke(cli, ["analyze", *options, "--data", str(tmp_path), str(tmp_path / "a.png")])
    assert result.exit_code == 1
    assert result.stderr == (
        "smearscope: no scheduler answers at tcp://127.0.0.1:9; start it with 'dask scheduler', or check the address\n"
    )


@pytest.mark.parametrize("wrong", [["--workers", "2"], ["--masks", "m"]])
def test_what_a_cluster_cannot_do_is_a_usage_error(wrong: list[str]) -> None:
    assert CliRunner().invoke(cli, ["analyze", "--scheduler", "tcp://127.0.0.1:9", *wrong, "a.png"]).exit_code == 2
